/** How Chrome is kept apart from the machine: CHROME_SANDBOX → the tiers to try, strongest first. */

export type SandboxSetting = "required" | "auto" | "off";

/** `netns`: the sandbox, and a network of its own, see own-network.ts. `uid`: the user Chrome runs as, where that is not ours. */
export type Isolation = { tier: "netns" | "sandbox" | "no-sandbox"; uid: number | null };

/** `nobody` on every Linux: owns nothing. As root Chrome refuses its sandbox, as this user it has it. */
const NOBODY = 65534;

/** Whether a tier works shows only when a Chrome starts in it: user namespaces may be off, or a container may forbid them. */
export function isolationsToTry(setting: SandboxSetting, ownUid: number | null): Isolation[] {
  const asOther = ownUid === 0 ? NOBODY : null;
  if (setting === "off") return [{ tier: "no-sandbox", uid: null }];
  const inSandbox: Isolation[] = [
    { tier: "netns", uid: asOther },
    { tier: "sandbox", uid: asOther },
  ];
  if (setting === "required") return inSandbox;
  return [
    ...inSandbox,
    ...(asOther === null ? [] : [{ tier: "no-sandbox" as const, uid: asOther }]), // a container without namespaces: at least not root
    { tier: "no-sandbox", uid: null },
  ];
}
