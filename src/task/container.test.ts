import { describe, expect, test } from 'vitest'
import { plainContainer } from './container.ts'
import { refused, task } from './task-file-harness.ts'

describe('image and container', () => {
  test.each([
    ['image: python:3.12', plainContainer('python:3.12')],
    ['image: docker:python:3.12', plainContainer('python:3.12')],
    ['container: docker://ghcr.io/a/b@sha256:00', plainContainer('ghcr.io/a/b@sha256:00')],
    ['image: x\ncontainer: {runtime: Podman}', { ...plainContainer('x'), runtime: 'podman' }],
    ['container: {image: x, shm_size: 2GB, network: none}', { ...plainContainer('x'), shmSizeBytes: 2 * 1024 ** 3, network: 'none' }],
    [
      'container: {image: x, user: "1000:100", gpus: all, pull: always}',
      { ...plainContainer('x'), user: '1000:100', gpus: 'all', pull: 'always' },
    ],
    [
      'container: {image: x, options: [--memory=4g, --ulimit, nofile=9], global_options: [--storage-driver=vfs]}',
      { ...plainContainer('x'), options: ['--memory=4g', '--ulimit', 'nofile=9'], globalOptions: ['--storage-driver=vfs'] },
    ],
    [
      'container: {image: x, mounts: ["/data:/d:ro", "~/a:/a", {source: /b}]}',
      {
        ...plainContainer('x'),
        mounts: [
          { source: '/data', target: '/d', readOnly: true },
          { source: '~/a', target: '/a', readOnly: false },
          { source: '/b', target: '/b', readOnly: false },
        ],
      },
    ],
    ['container: {runtime: docker}\nresources: {image_id: "docker:x"}', { ...plainContainer(''), runtime: 'docker' }],
    ['resources: {image_id: "docker:x"}', undefined],
  ])('%s', (text, expected) => {
    expect(task(`run: x\n${text}`).container).toEqual(expected)
  })

  test('a flag stands over every image of the file, and keeps the rest of container', () => {
    const file = 'run: x\nresources: {image_id: "docker:a", cpus: 2}\ncontainer: {runtime: podman}'
    const { container, resources } = task(file, { image: 'b' })
    expect(container).toMatchObject({ image: 'b', runtime: 'podman' })
    expect(resources.candidates[0]?.raw).toEqual({ cpus: 2 })
    expect(task('run: x\nimage: a', { image: 'b' }).container?.image).toBe('b')
  })

  test.each([
    ['two images', 'image: a\ncontainer: {image: b}', 'the task has image and container.image'],
    ['an option as image', 'image: --privileged', 'image: "--privileged" is not allowed'],
    ['an image with a space', 'image: "a b"', 'is not allowed'],
    ['a reserved option', 'container: {image: a, options: [--name=x]}', 'container.options[0]: "--name=x" is not allowed here'],
    ['a reserved letter among others', 'container: {image: a, options: [-it]}', '"-it" is not allowed here'],
    ['secrets on the command line', 'container: {image: a, options: [-e, X=1]}', 'use envs or secrets'],
    [
      'a word that would be the image',
      'container: {image: a, options: [--memory=4g, other]}',
      'container.options[1]: "other" is no option',
    ],
    ['the end of options', 'container: {image: a, options: [--]}', '"--" is no option'],
    ['an unknown runtime', 'container: {image: a, runtime: rkt}', 'container.runtime'],
    ['an unknown key', 'container: {image: a, mount: []}', 'container: unknown key "mount"'],
    ['a relative mount', 'container: {image: a, mounts: ["data:/d"]}', 'container.mounts[0]'],
  ])('refused: %s', (_, text, message) => {
    expect(refused(`run: x\n${text}`).message).toContain(message)
  })
})
