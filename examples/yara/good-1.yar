/* A small, real set: the standard test file, one-line web shells, coin miners. */

rule eicar_test_file
{
    meta:
        description = "The EICAR anti-malware test file: harmless, and every engine detects it"
        reference = "https://www.eicar.org/download-anti-malware-testfile/"
    strings:
        $head = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$"
        $tail = "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
    condition:
        filesize < 256 and $head at 0 and $tail
}

rule webshell_php_one_line
{
    meta:
        description = "PHP that runs what a request parameter says"
    strings:
        $open = "<?php"
        $run = /(eval|assert|system|passthru|shell_exec)\s*\(\s*(base64_decode\s*\(\s*)?\$_(GET|POST|REQUEST|COOKIE)\s*\[/ nocase
    condition:
        filesize < 64KB and $open in (0..64) and $run
}

rule coin_miner_settings
{
    meta:
        description = "Settings or command line of a Monero miner"
    strings:
        $pool = "stratum+tcp://"
        $pool_tls = "stratum+ssl://"
        $donate = "--donate-level="
        $algo = "\"algo\": \"rx/0\""
        $json_donate = "\"donate-level\":"
        $rig = "\"rig-id\":"
    condition:
        filesize < 1MB and any of ($pool*) and any of ($donate, $algo, $json_donate, $rig)
}
