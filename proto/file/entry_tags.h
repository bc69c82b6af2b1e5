/* entry_tags.h - the tags of file.DirectoryEntry and of the list of them, for those who write and
 * walk a listing without structs.
 */
#ifndef FILE_ENTRY_TAGS_H
#define FILE_ENTRY_TAGS_H

enum {
    FILE_TAG_ENTRY = 1 << 3 | 2,
    FILE_TAG_NAME = 1 << 3 | 2,
    FILE_TAG_DIRECTORY = 2 << 3 | 0,
    FILE_TAG_LENGTH = 3 << 3 | 0,
    FILE_TAG_MODIFIED = 4 << 3 | 1,
};

#endif
