"""URLs that lead inward, or try to. ``PORT`` and ``SIX`` stand for the ports of the servers."""

from __future__ import annotations

from collections.abc import Sequence

LOOPBACK_HOSTS = """
    127.0.0.1 127.1 127.0.1 127.0.0.01 127.000.000.001 2130706433 0x7f000001 0X7F000001 0x7F.0.0.1
    0x7f.1 0x7f.0x0.0x0.0x1 0177.0.0.1 0177.1 0177.0.1 017700000001 00000177.0.0.1 0x7f.0.1
    127.0x1 0177.0x0.0.1 127.65536 127.0.0.1. 127.1. 2130706433. 0.0.0.0 0 0x0 00 0.0 0000.0
    127.0.0.2 127.255.255.254 127.127.127.127 6425673729 127.0.0.257
    １２７.0.0.1 １２７．０．０．１ 127。0。0。1 127｡0｡0｡1 127．0．0．1 ①②⑦.⓪.⓪.① ⓛⓞⓒⓐⓛⓗⓞⓢⓣ
    loc\u00adalhost localho\u017ft %6c%6f%63alhost %31%32%37.0.0.1 127%2e0%2e0%2e1 127.0.0.1%00
    127.0.0.1%00.cdn.test 127.0.0.1%2f.cdn.test 127.0.0.1%0a 127.0.0.1%20
    localhost LOCALHOST LocalHost localhost. localhost.localdomain ip6-localhost
    [::ffff:127.0.0.1] [::ffff:7f00:1] [::FFFF:7F00:0001] [0:0:0:0:0:ffff:127.0.0.1]
    [::127.0.0.1] [::7f00:1] [64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b:1::7f00:1]
    [2002:7f00:1::] [2002:7f00:1::1] [2001:0:7f00:1::1] [::ffff:0:127.0.0.1] [fe80::5efe:7f00:1]
    [::ffff:0.0.0.0] [::ffff:127.1] [::ffff:127.0.0.1%25lo]
"""
SIX_HOSTS = """
    [::1] [0:0:0:0:0:0:0:1] [0000:0000:0000:0000:0000:0000:0000:0001] [::0001] [0::1] [0:0::1]
    [::1%25lo] [::1%lo] [::1%251] [::] [0:0::0] [::0.0.0.1] [::1]. ::1 six.test
"""
NAMES: dict[str, Sequence[str]] = {
    "localhost": ["127.0.0.1"],
    "localhost.localdomain": ["127.0.0.1"],
    "ip6-localhost": ["127.0.0.1"],
    "inward.test": ["127.0.0.1"],
    "a.b.c.inward.test": ["127.0.0.1"],
    "xn--inward-kva.test": ["127.0.0.1"],
    "127.0.0.1.nip.test": ["127.0.0.1"],
    "7f000001.rebind.test": ["127.0.0.1"],
    "under_score.test": ["127.0.0.1"],
    "two.test": ["127.0.0.2", "127.0.0.1"],
    "zero.test": ["0.0.0.0"],
    "mapped.test": ["::ffff:127.0.0.1"],
    "six.test": ["::1"],
    "good-first.test": ["93.184.216.34", "127.0.0.1"],
    "bad-first.test": ["127.0.0.1", "93.184.216.34"],
    "bad-between.test": ["93.184.216.34", "93.184.216.34", "127.0.0.1", "93.184.216.34"],
    "both.test": ["2600::1", "127.0.0.1"],
    "private-too.test": ["10.0.0.1", "127.0.0.1"],
    "compatible.test": ["::127.0.0.1"],
    "nat64.test": ["64:ff9b::7f00:1"],
    "sixtofour.test": ["2002:7f00:1::"],
    "teredo.test": ["2001:0:7f00:1::1"],
    "scoped.test": ["fe80::1%lo"],
    "ula.test": ["fd00::1"],
    "ten.test": ["10.0.0.1"],
    "docker.test": ["172.17.0.1"],
    "router.test": ["192.168.1.1"],
    "shared.test": ["100.64.0.1"],
    "bench.test": ["198.18.0.1"],
    "multi.test": ["224.0.0.1"],
    "multi6.test": ["ff02::1"],
    "broadcast.test": ["255.255.255.255"],
    "metadata.google.internal": ["169.254.169.254"],
    "instance-data.test": ["169.254.169.254"],
    "container-credentials.test": ["169.254.170.2"],
    "alibaba.test": ["100.100.100.200"],
    "azure.test": ["168.63.129.16"],
    "oracle.test": ["192.0.0.192"],
    "aws6.test": ["fd00:ec2::254"],
}
PRIVATE_HOSTS = """
    10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 192.168.255.255 100.64.0.1
    169.254.0.1 192.0.0.1 192.0.2.1 192.88.99.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1
    240.0.0.1 255.255.255.255 0.0.0.1 192.31.196.1 192.52.193.1 192.175.48.1
    [fc00::1] [fd00::1] [fe80::1] [fe80::1%25eth0] [fec0::1] [ff02::1] [2001:db8::1] [2001:10::1]
    [3fff::1] [5f00::1] [100::1] [2620:4f:8000::1] [64:ff9b::a00:1] [2002:a00:1::]
    169.254.169.254 2852039166 0xa9fea9fe 0251.0376.0251.0376 0xa9.0xfe.0xa9.0xfe 169.254.43518
    [::ffff:169.254.169.254] [::ffff:a9fe:a9fe] [::169.254.169.254] [64:ff9b::a9fe:a9fe]
    [2002:a9fe:a9fe::] 169.254.170.2 169.254.170.23 100.100.100.200 168.63.129.16 192.0.0.192
    [fd00:ec2::254] [fd20:ce::254]
"""
WHOLE = r"""
    http://127.0.0.1:PORT http://127.0.0.1:PORT/ HTTP://127.0.0.1:PORT/ hTTp://127.0.0.1:PORT/
    http://127.0.0.1:PORT?secret http://127.0.0.1:PORT#secret http://127.0.0.1:0PORT/
    http:127.0.0.1:PORT http:/127.0.0.1:PORT http:///127.0.0.1:PORT http:////127.0.0.1:PORT
    //127.0.0.1:PORT/ /\127.0.0.1:PORT/ http:\\127.0.0.1:PORT/ http:/\127.0.0.1:PORT/
    http://\127.0.0.1:PORT/ http://cdn.test\@127.0.0.1:PORT/ http://127.0.0.1:PORT\@cdn.test/
    http://127.0.0.1:PORT\.cdn.test/ http://cdn.test@127.0.0.1:PORT/ http://@127.0.0.1:PORT/
    http://cdn.test:80@127.0.0.1:PORT/ http://cdn.test:secret@127.0.0.1:PORT/
    http://cdn.test%40127.0.0.1:PORT/ http://cdn.test@cdn.test@127.0.0.1:PORT/
    http://127.0.0.1:PORT@cdn.test/ http://cdn.test#@127.0.0.1:PORT/ http://cdn.test?@127.0.0.1:PORT/
    http://127.0.0.1:PORT#@cdn.test/ http://127.0.0.1:PORT?@cdn.test/ http://127.0.0.1:PORT/@cdn.test
    http://127.0.0.1:PORT:80/ http://127.0.0.1:80:PORT/ http://127.0.0.1:+PORT/
    http://127.0.0.1:PORT%2f/ http://127.0.0.1%3aPORT/ http://localhost%3aPORT/ http://[127.0.0.1]:PORT/
    http://127.0.0.1:PORT;cdn.test/ http://127.0.0.1,cdn.test:PORT/ http://{127.0.0.1}:PORT/
    http://cdn.test&@127.0.0.1:PORT/ http://*@127.0.0.1:PORT/ http://'@127.0.0.1:PORT/
    https://127.0.0.1:PORT/ https://localhost:PORT/ https://inward.test:PORT/ https://[::1]:SIX/
    ftp://127.0.0.1:PORT/ gopher://127.0.0.1:PORT/_GET ws://127.0.0.1:PORT/ wss://127.0.0.1:PORT/
    file://127.0.0.1:PORT/ dict://127.0.0.1:PORT/ ldap://127.0.0.1:PORT/ tftp://127.0.0.1:PORT/
    http+unix://%2Fvar%2Frun%2Fdocker.sock/ unix:///var/run/docker.sock file:///etc/passwd
    jar:http://127.0.0.1:PORT/!/ url:http://127.0.0.1:PORT/ view-source:http://127.0.0.1:PORT/
    blob:http://127.0.0.1:PORT/ http:@127.0.0.1:PORT/ https:127.0.0.1:PORT/
"""
WITH_BLANKS = [
    " http://127.0.0.1:PORT/",
    "http://127.0.0.1:PORT/ ",
    "\thttp://127.0.0.1:PORT/",
    "http://127.0.0.1:PORT/\n",
    "ht\ntp://127.0.0.1:PORT/",
    "http://127.0.\t0.1:PORT/",
    "http://127.0.0.1:\rPORT/",
    "http://127.0.0.1\r\nHost: cdn.test:PORT/",
    "http://cdn.test\n@127.0.0.1:PORT/",
    "http://127.0.0.1:PORT/\r\nX-Injected: yes",
    "http:// 127.0.0.1:PORT/",
    "http://127.0.0.1 :PORT/",
    "http://127.0.0.1\u2028:PORT/",
    "http://127.0.0.1\u00a0:PORT/",
    "http://127.0.0.1\x00:PORT/",
    "\ufeffhttp://127.0.0.1:PORT/",
    "http://\u200b127.0.0.1:PORT/",
]
LEADING_TO_REDIRECTS = [
    "http://127.0.0.1:PORT/",
    "http://localhost:PORT/",
    "http://inward.test:PORT/",
    "http://zero.test:PORT/",
    "http://mapped.test:PORT/",
    "http://good-first.test:PORT/",
    "http://2130706433:PORT/",
    "http://0x7f.1:PORT/",
    "http://0177.1:PORT/",
    "http://127.1:PORT/",
    "http://[::ffff:127.0.0.1]:PORT/",
    "http://[::1]:SIX/",
    "http://six.test:SIX/",
    "//127.0.0.1:PORT/",
    "//inward.test:PORT/",
    "http://user:secret@127.0.0.1:PORT/",
    "http://169.254.169.254/latest/meta-data/",
    "http://metadata.google.internal/",
    "http://10.0.0.1:PORT/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:PORT/",
]
"""Where a public host redirects to."""


def direct(port: int, other: int, six: int) -> list[str]:
    """Return every URL that leads inward at once."""
    found = [f"http://{host}:PORT/?secret" for host in (LOOPBACK_HOSTS + PRIVATE_HOSTS).split()]
    found += [f"http://{host}:SIX/?secret" for host in SIX_HOSTS.split()]
    found += [f"http://{name}:PORT/?secret" for name in NAMES]
    found += [f"http://{name}:{other}/?secret" for name in NAMES if name.endswith("host")]
    found += [f"http://{name.upper()}:PORT/?secret" for name in list(NAMES)[3:12]]
    found += [f"http://{name}.:PORT/?secret" for name in list(NAMES)[3:12]]
    found += WHOLE.split() + WITH_BLANKS
    return list(dict.fromkeys(filled(found, port, six)))


def filled(urls: Sequence[str], port: int, six: int) -> list[str]:
    return [url.replace("PORT", str(port)).replace("SIX", str(six)) for url in urls]
