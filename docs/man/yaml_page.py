#!/usr/bin/python3
"""plexus.yaml.5 from the reference of the configuration: yaml_page.py TEMPLATE docs/configuration.md OUTPUT. Its
paragraphs stand where the template says @TEXT@, its tables where that says @KEYS@."""
import re
import sys

COLUMNS = 4  # key, takes, default, what


def roff(text):
    """Markdown of one cell as one line of mdoc."""
    text = text.replace("\\|", "|").replace("\\", "\\e").replace("–", "none")
    text = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", text)
    return "\\&" + text if text[:1] in (".", "'") else text


def lines_of(text):
    """A text as input lines, one a sentence."""
    return [roff(sentence) for sentence in re.split(r"(?<=[.;:]) (?=[A-Z`])", text) if sentence]


def text_of(reference):
    """The paragraphs before the first section, but for the one about the page itself, as mdoc."""
    top = reference.split("\n## ", 1)[0]
    paragraphs = [" ".join(p.split()) for p in top.split("\n\n") if not p.startswith("#") and "This page" not in p]
    return "\n.Pp\n".join("\n".join(lines_of(p)) for p in paragraphs if p)


def keys_of(reference):
    """The sections and tables of a reference as mdoc."""
    out, is_open, rows = [], False, 0
    for line in reference.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] if line.startswith("|") else []
        if line.startswith("## "):
            out += [".El"] if is_open else []
            out += [".Ss " + roff(line[3:]), ".Bl -tag -width Ds"]
            is_open = True
        elif is_open and len(cells) == COLUMNS and cells[0].startswith("`"):
            key, takes, default, what = cells
            out += [".It Sy " + key.strip("`")] + lines_of(what)
            out += [".br", "Takes " + roff(takes).lstrip("\\&") + "." if takes else ""]
            out += [] if default == "–" else ["Required." if default == "required" else "Default: %s." % roff(default)]
            rows += 1
    if rows == 0:
        sys.exit("yaml_page.py: no keys in the reference")
    return "\n".join(line for line in out + [".El"] if line)


def main():
    template, reference, output = sys.argv[1:]
    with open(template, encoding="utf-8") as f:
        text = f.read()
    with open(reference, encoding="utf-8") as f:
        reference = f.read()
    with open(output, "w", encoding="utf-8") as f:
        f.write(text.replace("@TEXT@", text_of(reference)).replace("@KEYS@", keys_of(reference)))


main()
