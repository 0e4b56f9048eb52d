import { describe, expect, test } from 'vitest'
import { compileMacroVariables, compileWord, hasMacro } from './macros.ts'

describe('macros, as NeMo-Run 0.11 reads them', () => {
  test.each([
    ['${head_node_ip_var}', 'DROVER_HEAD_IP'],
    ['$num_nodes_var', 'DROVER_NUM_NODES'],
    ['$$${node_rank_var}', '"${DROVER_NODE_RANK-}"'],
    ['--host=$$${head_node_ip_var}:29500', '\'--host=\'"${DROVER_HEAD_IP-}":29500'],
    // ExecutorMacros.group_host(0)
    ['$$${het_group_host_var}_0', '"${DROVER_HET_GROUP_HOST_0-}"'],
    ['${nproc_per_node_var} $$5 ${HOME} $x $', "'DROVER_PROCESSES_PER_NODE $5 ${HOME} $x $'"],
    // The brace is text behind an escaped dollar sign, as in Python.
    ['$${node_rank_var} ${num_nodes_var}', "'${node_rank_var} DROVER_NUM_NODES'"],
    ["it's $$${node_rank_var}; rm $(x)", "'it'\\''s '\"${DROVER_NODE_RANK-}\"'; rm $(x)'"],
  ])('%s becomes %s', (word, compiled) => {
    expect(compileWord(word)).toBe(compiled)
  })

  test.each(['$$', 'pa$$word', '${HOME}', '$node_rank_variable', '', 'a b'])('%s holds none and stays', (word) => {
    expect(hasMacro(word)).toBe(false)
  })

  test('only variables with a macro are set anew', () => {
    expect(compileMacroVariables({ A: 'x$$y', MASTER: '$$${head_node_ip_var}' })).toBe('export MASTER="${DROVER_HEAD_IP-}"\n')
  })
})
