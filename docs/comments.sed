# Turns the comments of our headers into what Doxygen reads:
# "/* x.h - what" on top of a file, "/* ... */" before a declaration, and after a member.
1s|^/\* \([a-z0-9_]*\.h\) - |/** @file \1\n * |
/^#define X(/d
s|^/\* [-=][-=].*\*/$||
s|^\( *\)/\* |\1/** |
s|\([,;{}] *\)/\* |\1/**< |
# What a comment may say without meaning a link, a tag or a command.
s|::\([a-z0-9]\)|\\::\1|g
/^ *\/*\*/ {
    s|<|\\<|g
    s|\*\*\\<|**<|g
    s|\([^ *]\)@|\1\\@|g
    s|\([ (]\)#\([a-z]\)|\1\\#\2|g
}
