/** A complex number: two doubles. */
export class Complex {
  readonly re: number
  readonly im: number
  constructor(re: number, im: number) {
    this.re = re
    this.im = im
  }
}

/** A JSON object: keys in the order in which they were written. A nested graph document is one. */
export type Dict = ReadonlyMap<string, Value>

/**
 * What a port of a workflow holds, with the distinctions Python makes: `int` is a bigint (any size), `float` a
 * number (with NaN, the infinities and -0.0), a tuple is a list as in the files. Values are never changed in place.
 * A `Uint8Array` at the top is a file's raw content; inside a list or an object it is a bytes value.
 */
export type Value = null | boolean | bigint | number | string | Uint8Array | Complex | readonly Value[] | Dict

/** Whether the value is a list (or a tuple). */
export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value)
}

/** Whether the value is a JSON object. */
export function isDict(value: Value): value is Dict {
  return value instanceof Map
}

/** Whether the value is a graph as a value: an object with Tierkreis's `nodes` list and `graph_output_idx`. */
export function isGraphDocument(value: Value): value is Dict {
  return isDict(value) && value.has('graph_output_idx') && isList(value.get('nodes') ?? null)
}

/** Python's name of the value's type, as its messages use it: `int`, `NoneType`, `dict`. */
export function typeName(value: Value): string {
  switch (typeof value) {
    case 'bigint':
      return 'int'
    case 'number':
      return 'float'
    case 'string':
      return 'str'
    case 'boolean':
      return 'bool'
  }
  if (value === null) return 'NoneType'
  if (isList(value)) return 'list'
  if (isDict(value)) return 'dict'
  return value instanceof Complex ? 'complex' : 'bytes'
}
