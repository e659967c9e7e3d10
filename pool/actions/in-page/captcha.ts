/** Does the page ask whether a person is there? Runs in the page. */
import type { Dom } from "./dom.ts";

/** `blocks`: there is nothing on the page but the question. */
export type CaptchaSign = { name: string; blocks: boolean; solved: boolean };

export function createCaptcha(dom: Dom) {
  const WIDGETS = [
    {
      name: "Turnstile",
      css: '.cf-turnstile, iframe[src^="https://challenges.cloudflare.com/"]',
      answer: '[name="cf-turnstile-response"]',
    },
    {
      name: "reCAPTCHA",
      css: '.g-recaptcha:not([data-size="invisible"]), iframe[src*="/recaptcha/api2/anchor"]:not([src*="size=invisible"]), iframe[src*="/recaptcha/enterprise/anchor"]:not([src*="size=invisible"])',
      answer: '[name="g-recaptcha-response"]',
    },
    {
      name: "hCaptcha",
      css: '.h-captcha:not([data-size="invisible"]), iframe[src*=".hcaptcha.com/"]',
      answer: '[name="h-captcha-response"]',
    },
  ];
  const INTERSTITIAL =
    '#challenge-form, #challenge-running, #cf-challenge-running, #challenge-stage, script[src*="/cdn-cgi/challenge-platform/"][src*="orchestrate"]';

  const has = (css: string): boolean => dom.queryAll(document, css).length > 0;
  const hasAnswer = (css: string): boolean => [...dom.queryAll(document, css)].some((field) => (field as HTMLInputElement).value !== "");

  function captcha(): CaptchaSign | null {
    if (has(INTERSTITIAL)) return { name: "Cloudflare's check", blocks: true, solved: false };
    const widget = WIDGETS.find(({ css }) => [...dom.queryAll(document, css)].some(dom.isVisible));
    return widget ? { name: widget.name, blocks: false, solved: hasAnswer(widget.answer) } : null;
  }

  return { captcha };
}
