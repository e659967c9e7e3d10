/** `/openapi.json` and `/docs`, written from the endpoints, once, when somebody asks. */
import { answerJson } from "../answers.ts";
import { renderDocs } from "../docs-page.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { createOpenApi } from "../openapi.ts";

export function docsEndpoints(others: readonly Endpoint[]): Endpoint[] {
  const all: Endpoint[] = [...others];
  let document: ReturnType<typeof createOpenApi> | null = null;
  let page: ReturnType<typeof renderDocs> | null = null;
  const openApi = () => {
    document ??= createOpenApi(all);
    return document;
  };
  const own = [
    endpoint({
      method: "GET",
      path: "/openapi.json",
      scope: null,
      summary: "This API as an OpenAPI 3.1 document",
      answers: { 200: { description: "The document", mediaType: "application/json" } },
      errors: [],
      handle: ({ head }) => answerJson(head, openApi()),
    }),
    endpoint({
      method: "GET",
      path: "/docs",
      scope: null,
      summary: "This API as a page",
      answers: { 200: { description: "The reference", mediaType: "text/html" } },
      errors: [],
      async handle({ head }) {
        page ??= renderDocs(openApi());
        const { html, policy } = await page;
        return new Response(html, {
          headers: {
            ...head,
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": policy,
            "Referrer-Policy": "no-referrer",
          },
        });
      },
    }),
  ];
  all.push(...own);
  return own;
}
