/* Does not parse: the second rule names a string that it does not have. The box refuses it with the line. */
rule fine
{
    strings:
        $a = "anything"
    condition:
        $a
}

rule broken
{
    strings:
        $a = "something"
    condition:
        $a and $b
}
