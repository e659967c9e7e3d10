/** Hosts that Chrome calls by itself, seen with its background networking off too. They share the run's listener, so they are refused by name. */

const BACKGROUND = new Set([
  "accounts.google.com", // ListAccounts at start; a run that signs in there names it in allowed_domains
  "update.googleapis.com",
  "optimizationguide-pa.googleapis.com",
  "content-autofill.googleapis.com",
  "chromesyncpasswords-pa.googleapis.com",
  "passwordsleakcheck-pa.googleapis.com",
  "safebrowsing.googleapis.com",
  "safebrowsing.google.com",
  "sb-ssl.google.com",
  "edgedl.me.gvt1.com",
  "redirector.gvt1.com",
  "android.clients.google.com",
  "mtalk.google.com",
  "clientservices.googleapis.com",
]);

export const isBackgroundHost = (name: string): boolean => BACKGROUND.has(name) || /^clients\d?\.google\.com$/.test(name);
