import type { CollectionConfig } from 'payload'

/** The host's characters; `libraryDbId` is the character's 24-hex id on the Character Library. */
export const CharacterReferences: CollectionConfig = {
  slug: 'character-references',
  admin: { useAsTitle: 'projectCharacterName' },
  fields: [
    { name: 'projectCharacterName', type: 'text', required: true },
    {
      name: 'libraryIntegration',
      type: 'group',
      fields: [
        { name: 'libraryDbId', type: 'text', index: true },
        { name: 'libraryCharacterId', type: 'text' },
      ],
    },
    {
      name: 'generationMetadata',
      type: 'group',
      fields: [{ name: 'bamlData', type: 'json' }],
    },
  ],
}
