import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApiDeps } from "../../pool/api/api-deps.ts";
import { onError } from "../../pool/api/on-error.ts";
import { playbookRoutes } from "../../pool/api/playbooks.ts";
import { type Library, openLibrary } from "../../pool/playbook/load.ts";
import { checkPlaybookRequest, type PlaybookRequest, resolvePlaybook } from "../../pool/playbook/request.ts";
import { createLog } from "../../pool/telemetry/log.ts";

const CANCEL = `id: cancel-order
tags: [cancel, order]
parameters:
  - {name: order_id, type: int}
  - {name: reason, default: Other}
steps:
  - action: key_press
    params: {text: "{credentials.password}"}
  - action: click
    selector: "#order-{order_id}"
    description: "{reason}"
`;

let dir: string;
let library: Library;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "us-request-"));
  await writeFile(join(dir, "cancel-order.yaml"), CANCEL);
  await writeFile(join(dir, "broken.yaml"), "id: broken\nsteps:\n  - action: clik\n    selector: id=b\n");
  library = await openLibrary(dir, createLog("silent"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe("the playbook that a request means", () => {
  it("is the one with the id, the one inline, or the one that the directive's words match", () => {
    expect(resolvePlaybook(library, { playbook: "cancel-order" })?.id).toBe("cancel-order");
    expect(resolvePlaybook(library, { playbook: CANCEL.replace("cancel-order", "inline") })?.id).toBe("inline");
    expect(resolvePlaybook(library, { playbook: { id: "object", steps: [{ action: "wait_for", selector: "a" }] } })?.id).toBe("object");
    expect(resolvePlaybook(library, { directive: "Please cancel order 12345" })?.id).toBe("cancel-order");
    expect(resolvePlaybook(library, { directive: "Good morning" })).toBeNull();
  });

  it("is refused when nobody knows its id, or its file is broken", () => {
    const refusal = (playbook: string) => {
      try {
        resolvePlaybook(library, { playbook });
      } catch (error) {
        return error;
      }
      return null;
    };
    expect(refusal("nobody")).toMatchObject({
      code: "VALIDATION_FAILED",
      details: { issues: [{ path: "playbook", message: 'No playbook has the id "nobody"' }] },
    });
    expect(refusal("../cancel-order")).toMatchObject({ code: "VALIDATION_FAILED" });
    expect(refusal("broken")).toMatchObject({
      code: "VALIDATION_FAILED",
      message: expect.stringContaining("does not load"),
      details: { issues: [{ path: "playbook" }, { path: "steps[0].action", line: 3 }, { path: "steps[0].selector.primary", line: 4 }] },
    });
  });
});

describe("an installed playbook", () => {
  it("that cannot be read is not found, with the places where its file is wrong", async () => {
    const routes = playbookRoutes({ library, drift: {} as ApiDeps["drift"] }).onError(onError(createLog("silent")));
    const ask = async (id: string) => (await routes.request(`/${id}`)).json();
    expect(await ask("broken")).toMatchObject({
      error: {
        code: "NOT_FOUND",
        message: expect.stringContaining("does not load"),
        details: {
          issues: [
            { path: "steps[0].action", line: 3 },
            { path: "steps[0].selector.primary", line: 4 },
          ],
        },
      },
    });
    expect(await ask("nobody")).toEqual({ error: { code: "NOT_FOUND", message: 'No playbook has the id "nobody"', details: null } });
  });
});

describe("a dry run", () => {
  const check = (request: Partial<PlaybookRequest>) => {
    const { checks, warnings } = checkPlaybookRequest(library, { credentialNames: [], ...request });
    return {
      failed: checks.filter(({ passed }) => !passed).map(({ name }) => name),
      names: checks.map(({ name }) => name),
      checks,
      warnings,
    };
  };

  it("passes each check by name when all is there, and warns of a default", () => {
    const { failed, names, checks, warnings } = check({
      playbook: "cancel-order",
      directive: "cancel order 12345",
      credentialNames: ["password"],
    });
    expect(failed).toEqual([]);
    expect(names).toEqual(["playbook", "params", "placeholders", "credentials", "selectors", "steps"]);
    expect(checks.at(-1)?.message).toBe("2 steps bind");
    const one = check({ playbook: { id: "a", steps: [{ action: "wait_for", selector: "a" }] } });
    expect(one.checks.at(-1)?.message).toBe("1 step binds");
    expect(warnings).toEqual(['Parameter "reason" is not in the directive; its default is used']);
  });

  it("says what fails under the name of its check", () => {
    expect(check({ playbook: "nobody" }).failed).toEqual(["playbook"]);
    const twice = /^Playbook "broken" does not load: steps\[0\].action: Unknown action "clik".* \(line 3\); .*write #b \(line 4\)$/;
    expect(check({ playbook: "broken" }).checks[0]?.message).toMatch(twice);
    const inline = check({ playbook: { id: "a", steps: [], hue: 1 } }).checks[0]?.message;
    expect(inline).toBe("The playbook is not valid: steps: Must not be empty; hue: Unknown field");
    expect(check({ playbook: "cancel-order" }).failed).toEqual(["params", "credentials"]);
    expect(check({ playbook: "cancel-order", params: { order_id: "x" }, credentialNames: ["password"] }).failed).toEqual(["params"]);
    expect(
      check({ playbook: CANCEL.replace("{reason}", "{reson}"), params: { order_id: 1 }, credentialNames: ["password"] }),
    ).toMatchObject({
      failed: ["placeholders"],
      checks: expect.arrayContaining([
        {
          name: "placeholders",
          passed: false,
          message: "steps[1].description: {reson} is unknown: no parameter and no store_as has this name (line 11)",
        },
      ]),
    });
  });

  it("never shows a value", () => {
    const { checks } = check({ playbook: "cancel-order", params: { order_id: "hunter2" }, directive: "hunter2" });
    expect(JSON.stringify(checks)).not.toContain("hunter2");
  });

  it("says so when a pattern takes too long", () => {
    const playbook = { id: "a", parameters: [{ name: "x", pattern: "(a+)+$" }], steps: [{ action: "wait_for", selector: "a" }] };
    expect(check({ playbook, directive: `${"a".repeat(40)}!` })).toMatchObject({ failed: ["params"] });
  });

  it("has nothing to say of a directive that no playbook matches", () => {
    expect(check({ directive: "Good morning" }).names).toEqual(["credentials"]);
  });
});
