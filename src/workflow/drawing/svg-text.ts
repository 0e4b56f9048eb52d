/** Characters that XML 1.0 does not have, halves of pairs, and marks that turn the direction of the text around them. */
const UNUSABLE =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]|\p{Surrogate}/gu

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Text as it stands in an element or a quoted attribute of XML. Characters that can't be shown become U+FFFD, line breaks spaces. */
export function xmlText(text: string): string {
  return text
    .replace(/[\n\r\t\u2028\u2029]/g, ' ')
    .replace(UNUSABLE, '\ufffd')
    .replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character)
}
