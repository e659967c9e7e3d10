/** What holds where nobody set anything. */
import type { Guardrails } from "../../shared/guardrails.ts";

const withSubdomains = (names: readonly string[]) => names.flatMap((name) => [name, `*.${name}`]);

/** Where an automated mistake costs most. Setting `blocked_domains` or `allowed_domains` anywhere replaces this list. */
const BLOCKED = [
  // government and military
  ...["*.gov", "*.mil", "*.gov.uk", "*.gov.au", "*.gov.br", "*.gov.cn", "*.gov.in", "*.gov.it", "*.gov.pl", "*.gob.es", "*.gob.mx"],
  ...["*.gouv.fr", "*.gc.ca", "*.go.jp", "*.go.kr", "*.govt.nz", "*.bund.de", "*.admin.ch", "*.gv.at", "*.europa.eu"],
  // banks and brokers
  ...withSubdomains(["chase.com", "bankofamerica.com", "wellsfargo.com", "citi.com", "citibank.com", "capitalone.com", "usbank.com"]),
  ...withSubdomains(["hsbc.com", "hsbc.co.uk", "barclays.co.uk", "lloydsbank.co.uk", "natwest.com", "santander.com", "santander.co.uk"]),
  ...withSubdomains(["deutsche-bank.de", "commerzbank.de", "sparkasse.de", "ing.com", "ing.de", "bnpparibas.com", "ubs.com"]),
  ...withSubdomains(["revolut.com", "n26.com", "monzo.com", "schwab.com", "fidelity.com", "vanguard.com", "coinbase.com", "binance.com"]),
  // mail
  ...["mail.google.com", "gmail.com", "www.gmail.com", "outlook.live.com", "outlook.office.com", "outlook.office365.com", "mail.yahoo.com"],
  ...[
    "mail.proton.me",
    "mail.aol.com",
    "mail.zoho.com",
    "mail.com",
    "www.mail.com",
    "web.de",
    "www.gmx.net",
    "app.fastmail.com",
    "mail.ru",
  ],
  // payment; not what shops embed (js.stripe.com, card forms): their pages must work
  ...withSubdomains(["paypal.com", "venmo.com", "cash.app", "wise.com", "westernunion.com", "klarna.com"]),
  ...["checkout.stripe.com", "dashboard.stripe.com", "buy.stripe.com", "pay.google.com", "payments.google.com", "pay.amazon.com"],
  // social
  ...withSubdomains(["facebook.com", "instagram.com", "threads.net", "threads.com", "x.com", "twitter.com", "linkedin.com", "tiktok.com"]),
  ...withSubdomains(["reddit.com", "pinterest.com", "snapchat.com", "bsky.app", "mastodon.social", "vk.com", "weibo.com", "discord.com"]),
];

export const DEFAULT_GUARDRAILS: Guardrails = {
  allowed_domains: null,
  blocked_domains: BLOCKED,
  max_urls_visited: 50,
  max_consecutive_errors: 5,
  allow_private_networks: false,
  enable_llm_action_check: true,
  stuck_window_size: 12,
  stuck_repeat_hint: 3,
  stuck_repeat_warn: 5,
  stuck_repeat_stop: 7,
  stuck_cycle_max_length: 3,
  stuck_cycle_repeats: 3,
  stuck_revisit_gap: 5,
  stuck_failure_cluster_window: 5,
  stuck_failure_cluster_threshold: 3,
};
