/* The next release of good-1.yar: one rule more, and packed miners. */
import "elf"

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

rule coin_miner_program
{
    meta:
        description = "An ELF program that mines Monero"
    strings:
        $name = "XMRig" nocase
        $pool = "stratum+tcp://"
        $method = "\"method\":\"login\""
        $job = "randomx_create_vm"
    condition:
        elf.type == elf.ET_EXEC and 2 of them or elf.type == elf.ET_DYN and 3 of them
}

rule shell_reverse_connection
{
    meta:
        description = "A script that hands a shell to a remote host through bash's /dev/tcp"
    strings:
        $tcp = /(ba)?sh\s+-i\s+>&\s*\/dev\/tcp\/[0-9]{1,3}(\.[0-9]{1,3}){3}\/[0-9]{2,5}/
    condition:
        filesize < 256KB and $tcp
}
