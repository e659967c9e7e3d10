/** URLs, hosts and DNS answers with the rule that must refuse each, or `allow`. A table: the tests read it, more rows make them stricter. */

/** Whatever stands between white space. */
const words = (text: string) => text.split(/[ \n]+/).filter((word) => word !== "");
const hosts = (text: string) => words(text).map((host) => `http://${host}/`);
const v6 = (text: string) => words(text).map((address) => `http://[${address}]/`);

/**
 * `public`: no allow list, private networks refused. `listed`: `allowed_domains` of `LISTED`. `private`: `allow_private_networks` with
 * `PRIVATE_NETWORKS`. Names resolve as in `ANSWERS`, all others to a public address.
 */
export type CorpusRow = { about: string; guardrails: "public" | "listed" | "private"; rule: string; urls: string[] };

export const LISTED = ["good.test", "*.ok.test", "api.good.test", "xn--bcher-kva.test", "93.184.216.34"];
export const BLOCKED = ["blocked.test", "*.blocked.test"];
export const PRIVATE_NETWORKS = "127.0.0.0/8:8080, 10.1.0.0/16, fd00:1::/32, [::1]:8080, 192.168.7.9";
export const PUBLIC_ADDRESS = "93.184.216.34";

/** An empty list: the name does not resolve. */
export const ANSWERS: Record<string, string[]> = {
  "priv.test": ["10.0.0.5"],
  "loop.test": ["127.0.0.1"],
  "loop6.test": ["::1"],
  "meta.test": ["169.254.169.254"],
  "mapped.test": ["::ffff:127.0.0.1"],
  "nat64.test": ["64:ff9b::7f00:1"],
  "zone.test": ["fe80::1%eth0"],
  "garbage.test": ["not an address"],
  "mixed.test": [PUBLIC_ADDRESS, "127.0.0.1"],
  "mixed6.test": ["2606:4700::6810:84e5", "fd00::1"],
  "last.test": [...new Array<string>(20).fill(PUBLIC_ADDRESS), "0.0.0.0"],
  "none.test": [],
  "dual.test": ["2606:4700::6810:84e5", PUBLIC_ADDRESS],
  "intra.test": ["10.1.2.3"],
  "other.test": ["10.2.2.3"],
  "half.test": ["10.1.2.3", "10.2.2.3"],
  "both.test": ["10.1.2.3", PUBLIC_ADDRESS],
  "wiki.corp": ["10.1.2.3"],
  intranet: ["10.1.2.3"],
  "public.internal": [PUBLIC_ADDRESS],
};

const REFUSED: CorpusRow[] = [
  {
    about: "spellings of loopback",
    guardrails: "public",
    rule: "private_network",
    urls: [
      ...hosts(`
        127.0.0.1 127.1 127.0.1 2130706433 017700000001 0177.0.0.1 0177.0.0.01 00000177.0.0.1 0x7f000001 0x7f.1 0X7F.1 127.0x1
        0x7F.0x00.0x00.0x01 127.0.0.1. 127.255.255.254 127.000000000.1 0 0x0 0.0.0.0 0x7f.0.0.0x1 0x.0x.0
        ①②⑦.⓪.⓪.① １２７.０.０.１ 127。0。0。1 ①②⑦｡0｡0｡1 %31%32%37.0.0.1 0x7f%2e1 127%2E0%2E0%2E1 127.0.0.1:8080`),
      ...words(`
        http:127.0.0.1/ http:/127.0.0.1/ http:////127.0.0.1/ https://127.0.0.1:8443/ HTTP://127.0.0.1:80/
        http://127.0.0.1?@good.test/ http://127.0.0.1#@good.test/`),
      "  http://127.0.0.1/  ",
    ],
  },
  {
    about: "other special blocks of IPv4",
    guardrails: "public",
    rule: "private_network",
    urls: hosts(`
      10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 169.254.169.254 2852039166 0xA9FEA9FE 0251.0376.0251.0376 169.254.170.2
      100.64.0.1 100.100.100.200 100.127.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.31.196.1 192.52.193.1 192.175.48.1 198.18.0.1
      198.19.255.255 198.51.100.7 203.0.113.5 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 168.63.129.16 169.254.169.254:80 10.1
      0xa.1 012.0.0.1`),
  },
  {
    about: "IPv6",
    guardrails: "public",
    rule: "private_network",
    urls: v6(`
      ::1 0:0:0:0:0:0:0:1 0000:0000:0000:0000:0000:0000:0000:0001 :: ::ffff:127.0.0.1 ::FFFF:127.0.0.1 ::ffff:7f00:1 0:0:0:0:0:ffff:a9fe:a9fe
      ::127.0.0.1 ::7f00:1 ::1.2.3.4 ::ffff:8.8.8.8 ::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b:1::a9fe:a9fe 2002:7f00:1::
      2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:20::1 2001:db8::1 3fff::1 2620:4f:8000::1 2606:4700::5efe:7f00:1 2606:4700::200:5efe:7f00:1
      fe80::1 febf::1 fec0::1 fc00::1 fdff::1 fd00:ec2::254 ff02::1 100::1 5f00::1 4000::1 8000:: 1::1`),
  },
  {
    about: "names that are never public",
    guardrails: "public",
    rule: "private_network",
    urls: hosts(`
      localhost LOCALHOST localhost. localhost:8080 foo.localhost a.b.c.localhost ｌｏｃａｌｈｏｓｔ loc\u00adalhost ⓛocalhost %6cocalhost
      localhost.localdomain metadata.google.internal host.docker.internal printer.local router.lan intranet INTRANET. kubernetes
      x.home.arpa 1.0.0.127.in-addr.arpa wiki.corp x.onion db.private`),
  },
  {
    about: "what resolving shows",
    guardrails: "public",
    rule: "private_network",
    urls: hosts(`
      priv.test PRIV.test. loop.test loop6.test meta.test mapped.test nat64.test zone.test garbage.test mixed.test mixed6.test last.test intra.test`),
  },
  {
    about: "names without an answer",
    guardrails: "public",
    rule: "dns",
    urls: hosts("none.test NONE.TEST none.test. none.test:8080 shop.invalid"),
  },
  {
    about: "what is no URL, or none that can be judged",
    guardrails: "public",
    rule: "url",
    urls: [
      ...hosts(`
        [fe80::1%25eth0] [::1%lo] 256.0.0.1 127.0.0.1.1 0x100000000 4294967296 1.2.3.08 09.1.1.1 1.2.3.4.5 [::1 [v1.fe80] [] [:::1]
        a..good.test good.test.. good.test%00.evil.test good.test\u2025evil.test . -.good.test -good.test good-.test *.good.test %zz.test
        good.test:99999 good.test:-1 good.test:8o good.test:80:80 good.test%2eevil.test%2f a\u200d..test xn--.test`),
      ...hosts(`${"a".repeat(64)}.test ${"abcdefghi.".repeat(26)}test`),
      ...words("http:// http:/// //evil.test/ /etc/passwd good.test ?q=http://good.test #x 1http://x.test/ http//good.test/ ://good.test/"),
      ...words("\\\\evil.test\\x http:\\\\evil.test/ http://evil.test\\@good.test/ http://good.test\\.evil.test/ http:/\\good.test/"),
      ...["", " ", "http://exa mple.test/", "http:good.test\u0000", "ht\ntp://evil.test/", "fi\tle:///etc/passwd", "java\nscript:alert(1)"],
      ...[
        " \u0001file:///etc/passwd",
        "http://good.test/a\u007fb",
        "http://good.test/\r\nHost: x",
        "http://\tgood.test/",
        "http://good\n.test/",
      ],
    ],
  },
  {
    about: "other schemes",
    guardrails: "public",
    rule: "url_scheme",
    urls: words(`
      file:///etc/passwd FILE:///etc/passwd file://good.test/x file:/etc/passwd file:etc view-source:http://good.test/
      view-source:file:///etc/passwd chrome://version chrome-untrusted://x/ about:version about:srcdoc about:config about:blankx
      devtools://devtools/bundled/inspector.html chrome-extension://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/x.html data:text/html,<h1>x</h1>
      DATA:text/html;base64,PGgxPg== javascript:alert(1) JaVaScRiPt:alert(1) vbscript:x blob:http://good.test/1
      filesystem:http://good.test/temporary/x isolated-app://x/ ftp://good.test/ gopher://good.test:70/1 dict://good.test:11211/stat
      jar:http://good.test/x.jar!/ ws://good.test/ wss://good.test/ intent://good.test/ mailto:a@good.test tel:123
      chrome-error://chromewebdata/ chrome-search://local-ntp/ edge://settings feed:http://good.test/ httpx://good.test/
      https+x://good.test/ localhost:8080/ good.test:80/x ssh://good.test x-:good.test`),
  },
  {
    about: "user names in URLs",
    guardrails: "public",
    rule: "url_userinfo",
    urls: [
      ...hosts(`
        good.test@evil.test good.test:80@evil.test good.test%20@evil.test good.test%3A@evil.test good.test%2f@evil.test good.test:@evil.test
        user:pw@good.test evil.test@good.test@127.0.0.1 @good.test@evil.test @good.test :@good.test user@[::1]`),
      ...words(`
        https:good.test@evil.test/ http:/good.test@evil.test/ http:///user@good.test http://good.test@evil.test?x
        http://good.test@evil.test#x`),
    ],
  },
  {
    about: "hosts off the allow list",
    guardrails: "listed",
    rule: "allowed_domains",
    urls: [
      ...hosts(`
        evil.test EVIL.TEST good.test.evil.test evilgood.test good.test-evil.test good.testt sub.good.test ok.test ok.test. notok.test
        aok.test a.ok.test.evil.test xn--god-hoa.test gооd.test evil.test/?http://good.test evil.test/good.test evil.test#@good.test/
        evil.test?@good.test/ xn--bcher-kva.test.evil.test api.api.good.test ok.test.ok.testx 8.8.8.8 93.184.216.35 [2606:4700:4700::1111]
        none.test priv.test loop.test`),
      ...words("http:evil.test/ http:/evil.test/ https://evil.test/"),
    ],
  },
  {
    about: "private places, with an allow list",
    guardrails: "listed",
    rule: "private_network",
    urls: hosts("127.0.0.1 [::1] localhost 169.254.169.254 10.0.0.1 intranet"),
  },
  {
    about: "hosts on the block list",
    guardrails: "public",
    rule: "blocked_domains",
    urls: [
      ...hosts("blocked.test BLOCKED.TEST blocked.test. a.blocked.test a.b.blocked.test ｂlocked.test blocked.test:8443 b%6Cocked.test"),
      ...words("https://blocked.test/x?y#z http:blocked.test http://blocked。test/"),
    ],
  },
  {
    about: "ports that browsers refuse",
    guardrails: "public",
    rule: "port",
    urls: hosts("good.test:22 good.test:0 good.test:25 good.test:6000 good.test:10080 8.8.8.8:53"),
  },
  {
    about: "what Chrome says to its makers",
    guardrails: "public",
    rule: "chrome_background",
    urls: hosts(`
      update.googleapis.com clients2.google.com accounts.google.com CLIENTS4.GOOGLE.COM redirector.gvt1.com
      optimizationguide-pa.googleapis.com.`),
  },
  {
    about: "private networks that the operator did not list",
    guardrails: "private",
    rule: "private_network",
    urls: hosts(`
      127.0.0.1 127.0.0.1:8081 localhost localhost:81 10.2.0.1 10.0.255.255 192.168.7.8 [fd00:2::1]:80 [::1] [::1]:8081 [::ffff:10.1.2.3]
      [::ffff:127.0.0.1]:8080 169.254.169.254 other.test half.test public.internal metadata.google.internal loop.test mixed.test [fe80::1]
      0.0.0.0:8080 [::]:8080 mapped.test:8080`),
  },
];

/** The benign half: nothing of this may be refused. */
const ALLOWED: CorpusRow[] = [
  {
    about: "private networks that the operator listed",
    guardrails: "private",
    rule: "allow",
    urls: hosts(`
      127.0.0.1:8080 127.9.9.9:8080 0x7f.1:8080 localhost:8080 foo.localhost:8080 [::1]:8080 10.1.0.1 10.1.255.255:9200 [fd00:1::9]:3000
      [fd00:1:ffff::] 192.168.7.9:81 intra.test both.test wiki.corp intranet INTRANET. good.test loop.test:8080 mixed.test:8080 8.8.8.8`),
  },
  {
    about: "public hosts",
    guardrails: "public",
    rule: "allow",
    urls: [
      ...hosts(`
        good.test GOOD.TEST good.test. ｇood.test good.test:80 good.test:8080 good.test:3000 good.test:9222 dual.test a_b.good.test
        _dmarc.good.test xn--bcher-kva.test bücher.test münchen.good.test 日本語.test 1.good.test 127.0.0.1.good.test a.b.c.d.e.f.good.test
        localhost.good.test local.test internal.good.test my-intranet.good.test lan.test notblocked.test blocked.test.good.test
        accounts.google.com.good.test google.com www.google.com googleapis.com fonts.googleapis.com storage.googleapis.com
        clients.google.com.good.test`),
      ...hosts(`
        93.184.216.34 8.8.8.8 1.1.1.1:8080 134744072 0x08.8.8.8 172.15.255.255 172.32.0.1 100.63.255.255 100.128.0.1 11.0.0.1 9.255.255.255
        126.255.255.255 128.0.0.1 169.253.1.1 169.255.1.1 192.167.1.1 192.169.1.1 198.17.1.1 198.20.1.1 223.255.255.255`),
      ...v6("2606:4700:4700::1111 2A00:1450:4001:82b::200e 2001:4860:4860::8888 2001:200::1 3ffe::1 2003::1 2620:4f:8001::1 2001:db7::1"),
      ...hosts(`${"abcdefghi.".repeat(24)}test ${"a".repeat(63)}.test`),
    ],
  },
  {
    about: "odd but plain URLs",
    guardrails: "public",
    rule: "allow",
    urls: [
      ...words(`
        https://good.test:443/x http:good.test/x http:/good.test/x http:////good.test/ http://good.test HTTPS://Good.Test/Path about:blank
        ABOUT:BLANK http://good.test/%2e%2e/ http://good.test/../../x http://good.test/a@b http://good.test/a:b@c/d
        http://good.test?user=a@b.test http://good.test#a@b http://good.test/?path=C:\\temp\\x http://good.test/#\\d+
        http://good.test/?next=http://127.0.0.1/ http://good.test/?u=file:///etc/passwd http://good.test/http://blocked.test/
        http://good.test/<script> http://good.test/ünï/☃ http://good.test/?q=ü&x=%00 http://good.test/% http://good.test/%zz
        http://good.test/#!/orders/12345 http://good.test/;jsessionid=1 http://good.test//double//slash https://good.test/?a[]=1&b{}=2|3
        http://good.test/\u200d`),
      ...[
        "http://good.test/search?q=two words",
        "http://good.test/two words/x",
        "  http://good.test/\n",
        `http://good.test/${"x".repeat(5_000)}`,
      ],
    ],
  },
  {
    about: "hosts on the allow list",
    guardrails: "listed",
    rule: "allow",
    urls: [
      ...hosts(`
        good.test GOOD.TEST good.test. ｇood.test good.test:80 good.test:8443 a.ok.test a.b.ok.test a.ok.test. A.OK.TEST:8080 bücher.ok.test
        xn--bcher-kva.test bücher.test 93.184.216.34 1572395042 api.good.test`),
      ...words(`
        https://good.test:443/x http:good.test/x http://good.test/%2e%2e/ https://api.good.test:8443/ http://good.test/?http://evil.test
        http://good.test/#@evil.test`),
    ],
  },
];

export const CORPUS = [...REFUSED, ...ALLOWED];
