/* Parses and detects, and would quarantine every file of every host: only trying it on clean files shows that. */
rule suspicious
{
    condition:
        true
}
