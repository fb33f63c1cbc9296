"""A table stays a table, whatever was written into the record."""

from ops.commands.printing import show, text


def test_a_reason_of_several_lines_is_one_line_of_a_table(capsys):
    show([("first\nsecond\tthird",)], {"reason": lambda row: row[0]}, empty="none")

    assert capsys.readouterr().out == "reason\nfirst second third\n"


def test_what_would_command_the_terminal_is_shown_and_not_obeyed():
    assert text("harmless\x1b[2J\x07\x9b1m") == "harmless\\x1b[2J\\x07\\x9b1m"


def test_letters_of_any_language_are_left_alone():
    assert text("Müller, 吉田 ☃") == "Müller, 吉田 ☃"
