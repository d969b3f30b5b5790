/** Whether a place of a library, or one above it, is among `places`: of however many, in a few looks. */
export function isWithin(
  places: { readonly has: (place: string) => boolean },
  place: string,
): boolean {
  for (let length = 0; length <= place.length; length++) {
    if (places.has(place.slice(0, length))) return true;
  }
  return false;
}
