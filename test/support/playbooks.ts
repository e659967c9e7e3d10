/** Playbooks against the demo dashboard that tests share. */
import { DEMO_USER } from "../fixtures/dashboard/dashboard.ts";

export const CREDENTIALS = { username: DEMO_USER.username, password: DEMO_USER.password };

const guardrails = { allow_private_networks: true };
const signIn = (url: string) => [
  { action: "goto", params: { url: `${url}/login` }, description: "Open the sign-in page" },
  { action: "key_press", selector: "#username", params: { text: "{credentials.username}" }, description: "Type the username" },
  {
    action: "key_press",
    selector: "#password",
    params: { text: "{credentials.password}", key: "Enter" },
    description: "Type the password",
  },
];

/** Signs in and reads the page's heading; a body for `POST /runs`. */
export const readOrders = (url: string) => ({
  playbook: {
    id: "read-orders",
    guardrails,
    steps: [
      ...signIn(url),
      { action: "wait_for", selector: "#orders tbody tr", description: "Wait for the list" },
      { action: "extract", selector: "h1", description: "Read the heading" },
    ],
  },
  credentials: CREDENTIALS,
});

/** One quick page without sign-in. */
export const openLogin = (url: string) => ({
  playbook: {
    id: "open-login",
    guardrails,
    steps: [
      { action: "goto", params: { url: `${url}/login` } },
      { action: "extract", selector: "h1" },
    ],
  },
});

/** Waits for something that never comes. */
export const waitForever = (url: string, timeout_ms = 120_000) => ({
  playbook: {
    id: "wait-forever",
    guardrails,
    steps: [
      { action: "goto", params: { url: `${url}/login` } },
      { action: "wait_for", selector: "#never", timeout_ms, on_failure: "abort" },
    ],
  },
});
