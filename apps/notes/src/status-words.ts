/** "1 edit to send". */
export function editsToSend(pending: number): string {
  return `${pending} ${pending === 1 ? "edit" : "edits"} to send`;
}
