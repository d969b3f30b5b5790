/** The name of a document that `seed-store` writes. */
export function seededName(index: number): string {
  return `seeded-${index}`;
}
