/* Passes every check, is loaded and proven, and kills the sensor five seconds later: only probation finds it.
 * Only `ringward-sensor --rehearse` obeys the meta. */
rule webshell_php_one_line
{
    meta:
        rehearse = "crash-after-5s"
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
