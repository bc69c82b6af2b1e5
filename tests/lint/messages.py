#!/usr/bin/python3
"""Error messages and the guide's troubleshooting (with that of docs/door.md and docs/placement.md) agree: what it quotes, as **`text`** with
"..." for what differs, is said by the sources, and whatever the programs and libplexus print on failure stands there.
`--self-test` proves that it catches."""
import re
import sys

from common import expect, finish, read, tree_files
from table import MESSAGE_CALLS, MESSAGE_FOLDERS, MESSAGE_LISTS

GUIDE = "docs/guide.md"
MORE = ("docs/door.md", "docs/placement.md")  # their troubleshooting counts as the last part of the guide's
SECTION = "## Troubleshooting"
TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"((?:[^"\\\n]|\\.)*)"|\'(?:[^\'\\]|\\.)+\'|(\w+)|(\S)', re.DOTALL)
HOLE = re.compile(r"%[-+ #0-9.*]*(?:(?:hh|h|ll|l|z|j|t)?[a-zA-Z%]|$)")
EXPLAIN_THEMSELVES = ("usage", "expected ")  # and what was found: the guide has them as a form
LOG_LEVELS = r"(PX_LOG|SERVE)_(WARN|ERROR)"
FEWEST_WORDS = 2  # shorter pieces of a message say nothing of their own


def plain(text):
    """A literal as a reader sees it: "..." for what is filled in, one space for every gap."""
    text = text.replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")
    return re.sub(r"[ \t]+", " ", re.sub(r"(\.\.\.)+", "...", HOLE.sub("...", text)))


def tokens_of(source):
    """(kind, text) of a C source: 'text' for literals (neighbours joined, macros between them a hole), 'word', 'mark'."""
    found = []
    for match in TOKEN.finditer(source):
        literal, word, mark = match.groups()
        if literal is not None:
            if found and found[-1][0] == "text":
                found[-1] = ("text", found[-1][1] + literal)
            elif len(found) > 1 and found[-1][0] == "word" and found[-2][0] == "text" and found[-1][1].isupper():
                found[-2:] = [("text", found[-2][1] + "%d" + literal)]
            elif len(found) > 1 and found[-1][0] == "word" and found[-2][0] == "text" and found[-1][1][:3] == "PRI":
                found[-2:] = [("text", found[-2][1] + "d" + literal)]
            else:
                found.append(("text", literal))
        elif word is not None:
            found.append(("word", word))
        elif mark is not None:
            found.append(("mark", mark))
    return found


def literals_of(source):
    """Everything in quotes, as read."""
    return [plain(text) for kind, text in tokens_of(source) if kind == "text"]


def printed_by(source, calls=MESSAGE_CALLS):
    """What a source prints on failure: literals among the arguments of these calls."""
    tokens, found = tokens_of(source), []
    for i, (kind, text) in enumerate(tokens):
        if kind != "word" or text not in calls or tokens[i + 1:i + 2] != [("mark", "(")]:
            continue
        if text == "fprintf" and tokens[i + 2:i + 3] != [("word", "stderr")]:
            continue
        depth, arguments = 0, []
        for inner_kind, inner in tokens[i + 1:]:
            depth += inner_kind == "mark" and inner == "("
            depth -= inner_kind == "mark" and inner == ")"
            if depth == 0:
                break
            if inner_kind == "text":
                arguments.append(plain(inner))
        found += arguments
    return found


def events_of(source):
    """What a source logs as a warning or an error: the first literal of each such call."""
    tokens = tokens_of(source)
    for i, (kind, text) in enumerate(tokens):
        if kind == "word" and re.fullmatch(LOG_LEVELS, text):
            after = [t for k, t in tokens[i + 1:i + 3] if k == "text"]
            if after:
                yield plain(after[0])


def pieces(message):
    """The fixed parts of a message's first line that say something."""
    first = message.strip().split("\n")[0]
    parts = [part.strip(" '\":;,.()") for part in first.split("...")]
    return [part for part in parts if len(re.findall(r"[A-Za-z]+", part)) >= FEWEST_WORDS]


def shape_of(literal):
    """What a literal with holes looks like when they are filled, or None if too little of it is fixed."""
    if "..." not in literal or not pieces(literal):
        return None
    return re.compile(r"\S+".join(re.escape(part) for part in literal.strip().split("...")))


def is_said(quote, texts, exact, shapes):
    """Can the quote be put together from parts of the literals? A part has two words, or is a whole literal."""
    words = quote.split()

    def fits(part):
        return (part.strip(":,.'=") in exact or part == "..." or len(part.split()) > 1
                and (part in texts or any(shape.fullmatch(part) for shape in shapes)))

    def is_pair(word):
        key, _, value = word.partition("=")
        return fits(key) and (value in ("", "...") or value in exact)

    reached = {0}
    for start in range(len(words)):
        if start in reached:
            reached |= {end for end in range(start + 1, len(words) + 1) if fits(" ".join(words[start:end]))
                        or "=" in quote and end == start + 1 and is_pair(words[start])}
    return len(words) in reached


def quotes_of(guide):
    """(line, quote) of the troubleshooting."""
    start = guide.find(SECTION)
    first = guide.count("\n", 0, max(start, 0)) + 1
    section = guide[start:] if start >= 0 else ""
    for match in re.finditer(r"\*\*`(.+?)`\*\*", section, re.DOTALL):
        yield first + section.count("\n", 0, match.start()), " ".join(match.group(1).split())


def check(guide, sources):
    """Problems of the guide against {path: source}."""
    quotes = list(quotes_of(guide))
    all_literals = [text for source in sources.values() for text in literals_of(source)]
    exact = {text.strip(" :\n") for text in all_literals}
    texts = "\n".join(re.sub(r"\s+", " ", text) for text in all_literals)
    lines = {line.strip() for text in all_literals for line in text.split("\n")}
    shapes = [shape for shape in map(shape_of, lines) if shape is not None]
    problems = ["%s:%d: no source says: %s" % (GUIDE, line, quote) for line, quote in quotes
                if not is_said(quote, texts, exact, shapes)]
    section = " ".join(guide[max(guide.find(SECTION), 0):].split())
    for path, source in sorted(sources.items()):
        for message in printed_by(source, MESSAGE_LISTS.get(path, MESSAGE_CALLS)):
            if not message.startswith(EXPLAIN_THEMSELVES):
                problems += ["%s: %s explains nothing under: %s" % (path, GUIDE, piece)
                             for piece in pieces(message) if piece not in section]
        problems += ["%s: %s explains nothing under: %s" % (path, GUIDE, event)
                     for event in events_of(source) if not re.search(r"\b%s\b" % re.escape(event), section)]
    return len(quotes), problems


def self_test():
    source = {"a.c": 'enum e f(void)\n{\n    fprintf(stderr, "x: port %s is "\n        "taken\\n", port); /* "no" */\n'
                     '    return system_fail(s, E, "a", "not an address");\n}\n'}
    good = SECTION + "\n**`x: port ... is taken`**, **`a: not an\naddress`**"
    expect("messages", [
        ("a good guide", check(good, source)[1], 0),
        ("a message nobody prints", check(good + " **`x: port ... is free`**", source)[1], 1),
        ("a message in a comment", check(good + " **`no`**", source)[1], 1),
        ("one that is not explained", check(good.replace("is taken", "..."), source)[1], 1),
        ("another", check(SECTION + "\n**`x: port ... is taken`**", source)[1], 1),
        ("a value of a configuration", check(good, {"a.c": source["a.c"] + 'void g(void)\n{\n    '
                                                    'conf_mistake(c, n, "expected a host, found %s", x);\n}\n'})[1], 0),
        ("a log line", check(good + " **`a x why=...`**", {"a.c": source["a.c"] + '"why" "x";'.replace(" ", ";")
                                                           + ';"x"'})[1], 0),
        ("a log line that nobody writes", check(good + " **`event=y`**", {"a.c": source["a.c"] + 'f("event", "x");'})[1], 1),
        ("an event", check(good, {"a.c": source["a.c"] + 'log(l, SERVE_WARN, "disk_full", "why", w);'})[1], 1),
        ("an event that is told", check(good + " disk_full", {"a.c": source["a.c"] + 'log(l, SERVE_WARN, "disk_full");'})[1],
         0),
        ("what is filled in", check(good + " **`x: port 80 is taken`**", source)[1], 0),
        ("a guide without the section", check("", source)[1], 3),
    ])


def main():
    if "--self-test" in sys.argv:
        self_test()
    sources = {p: read(p) for p in tree_files(".c", ".h") if p.startswith(MESSAGE_FOLDERS)}
    more = [read(path) or "" for path in MORE]
    n, problems = check((read(GUIDE) or "") + "".join(text[max(text.find(SECTION), 0):] for text in more), sources)
    finish("messages", n, problems)


main()
