/** What holds where nobody set anything. */
import { DEFAULT_LIMITS, DEFAULT_LIST, type Guardrails } from "../../shared/guardrails.ts";

const withSubdomains = (names: readonly string[]) => names.flatMap((name) => [name, `*.${name}`]);

/** Where an automated mistake costs most: what `@default` stands for. Setting `blocked_domains` or `allowed_domains` anywhere replaces it. */
export const DEFAULT_BLOCKED: readonly string[] = [
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
  ...DEFAULT_LIMITS,
  allowed_domains: null,
  blocked_domains: [DEFAULT_LIST],
  allow_private_networks: false,
  enable_llm_action_check: true,
  goal_type: null,
  stuck_applies_to: "improvised",
};

/** With every host of the list that `@default` stands for. */
export const inFull = (guardrails: Guardrails): Guardrails => ({
  ...guardrails,
  blocked_domains: guardrails.blocked_domains.flatMap((rule) => (rule === DEFAULT_LIST ? DEFAULT_BLOCKED : [rule])),
});
