import type { CompiledQuery } from 'kysely'
import type { Query } from './store-schema.ts'

interface Compilable {
  compile(): CompiledQuery
}

/**
 * Texts of statements that run often. The SQL builder takes some 20 µs to compile a statement, more than running it
 * takes; here each shape is compiled once and later only its values change. Values come in the order in which the
 * placeholders stand in the text: for an update first those set, then those of the condition.
 */
export class StatementTexts {
  readonly #texts = new Map<string, { readonly sql: string; readonly placeholders: number }>()

  /** The statement of that shape with these values. `build` makes it, with any values, when the shape is new. */
  bind(shape: string, build: () => Compilable, parameters: readonly unknown[]): Query {
    let text = this.#texts.get(shape)
    if (text === undefined) {
      const compiled = build().compile()
      text = { sql: compiled.sql, placeholders: compiled.parameters.length }
      this.#texts.set(shape, text)
    }
    // A missing value would be bound as NULL in silence.
    if (parameters.length !== text.placeholders) {
      throw new RangeError(`statement "${shape}" takes ${text.placeholders} values, not ${parameters.length}`)
    }
    return { sql: text.sql, parameters }
  }
}
