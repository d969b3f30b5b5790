/** The list itself is a document: no note may take its name. */
const reserved = "index";
export const noteIndexName = `notes/${reserved}`;

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

export function noteDocumentName(id: string): string {
  return `notes/${id}`;
}

export function isNoteId(text: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,63}$/.test(text) && text !== reserved;
}

/** 60 random bits: nobody meets another's note by chance. (`randomUUID` is missing on plain http.) */
export function newNoteId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => alphabet[byte % 32]).join(
    "",
  );
}
