/**
 * What a page says to a model and no page says to a person, over folded text (`fold.ts`). Gaps are bounded, so that none of it is slow. What a person
 * may be told ("Special instructions:", "If you are an agent", "Enter your password in the field") must not match: pages full of it are to be used.
 */

const UNDO = "(?:ignore|disregard|forget|override|overrule|bypass|donotfollow|dontfollow|donotobey|stopfollowing|neverfollow)";
const EARLIER = "(?:previous|prior|above|earlier|preceding|foregoing|existing|former|original|initial|system|developer|safety|users?)";
const FILLER = "(?:all|any|every|everything|each|of|the|these|those|this|my|our|your|other|and|or|you|were|was|been|given|told)";
const ORDERS =
  "(?:instructions?|prompts?|rules?|directions?|directives?|commands?|guidelines?|tasks?|goals?|constraints|restrictions|guardrails)";
/** Over letters alone, so that neither spaces and signs between them, nor a split over several elements, hide it. */
export const SQUEEZED: readonly RegExp[] = [
  new RegExp(`${UNDO}(?:${FILLER}){0,4}${EARLIER}(?:${FILLER}|${EARLIER}){0,3}${ORDERS}`, "g"),
  new RegExp(`${UNDO}(?:${FILLER}){0,3}${ORDERS}(?:${FILLER}){0,3}(?:above|before|earlier|previously)`, "g"),
  new RegExp(`${UNDO}(?:all|any|every)?(?:of)?your(?:instructions?|prompts?|guidelines|directives?|programming|training|guardrails)`, "g"),
  /(?:ignore|disregard|disobey|deceive)(?:what|whatever)?the(?:user(?!s?name|agent|group|interface|account|id)|human(?!itarian|ities)|operator)/g,
  /(?:forget|disregard|ignore)(?:about)?everything(?:above|before(?:this|now|here)|youwere|youhavebeen|youknow|saidso?far|previouslysaid)/g,
  /untrustedpagecontent/g,
];

const MODEL = "(?:ai|llm|language model|assistant|chatbot|ai agent|claude|chatgpt|gpt|gemini|copilot)";
const PERSON = "(?! (?:manager|coach|professor|teacher|director|principal|editor|to the|of the|at))";
/** Over text with its spaces. */
export const SPOKEN: readonly RegExp[] = [
  // a role for the model
  new RegExp(`\\byou(?: are|'re)(?: now| hereby| actually| really)? (?:an? |the |my )(?:\\w+ ){0,2}${MODEL}\\b${PERSON}`, "g"),
  /\byou(?: are|'re) now (?:dan|root|jailbroken|unrestricted|unfiltered|free (?:of|from)|in (?:developer|debug|god|admin) mode)\b/g,
  new RegExp(
    `\\b(?:act|behave|respond|pretend|role-?play)(?: to be)?(?: as| like)?(?: if you (?:are|were))? (?:an? |the )?(?:\\w+ ){0,2}(?:${MODEL}|dan|jailbroken)\\b${PERSON}`,
    "g",
  ),
  /\b(?:from now on|henceforth),? (?:ignore|disregard|obey|respond|reply only|act as|you (?:are an?|must (?:obey|follow|only|always|ignore|never)|will (?:obey|act|respond|only|ignore)|shall|obey|ignore)) ?/g,
  // addressed to it
  new RegExp(
    `\\b(?:if|when|since|because|as) you(?: are|'re) (?:an? )?(?:\\w+ ){0,2}(?:${MODEL}|automated (?:agent|system|assistant)|browser agent)\\b${PERSON}`,
    "g",
  ),
  new RegExp(
    `\\b(?:attention|dear|note to|message (?:to|for)|instructions? (?:to|for)|notice to)(?: the| any| all)?,? ?${MODEL}s?\\b${PERSON}`,
    "g",
  ),
  /\b(?:ai|llm|automated|browser) (?:agents?|assistants?|models?|bots?)(?: \w+){0,4} (?:must|should|shall|have to|need to|are required to|are instructed to) (?:now |also |always |first |immediately )?(?:ignore|click|open|visit|go|navigate|type|enter|send|submit|reveal|follow|obey|reply|respond|include|report|say|output)\b/g,
  // its orders
  /\b(?:system|developer|hidden|initial|original|secret) prompts?\b/g,
  /\b(?:new|real|actual|true|revised|updated)(?: system)? (?:instructions?|directives?|prompt)(?: (?:for you|follows?|below))?\s?:/g,
  /\byour (?:new|real|actual|true|only|updated) (?:\w+ )?(?:instructions?|tasks?|goals?|objectives?|mission|role|purpose|directives?) (?:is|are|will be)(?: to | now|:)/g,
  /\bimportant\b.{0,80}\b(?:override|overrule|supersede|bypass|disregard|ignore)s?\b.{0,40}\b(?:instruct|prompt|rule|task|user|guideline|safety|guardrail|directive|system|assistant)/g,
  /\b(?:override|overrule|bypass|disable|turn off) (?:all |any |every |the |your )*(?:safety|security|content|alignment) (?:rules|measures|guidelines|filters|checks|protocols|instructions|restrictions)\b/g,
  /\b(?:reveal|repeat|print|output|leak|disclose|share|show me|tell me)(?: all| exactly)? your(?: \w+){0,2} (?:prompt|instructions|guidelines|configuration)\b/g,
  /\b(?:do not|don't|never) (?:tell|inform|alert|notify|warn|mention (?:this|that|it|anything) to|reveal (?:this|that|it|anything) to) the (?:user|human|operator)\b/g,
  /\bthe (?:user|human operator|operator)(?: \w+){0,2} (?:wants|asked|authori[sz]ed|instructed|permitted|requires|wishes)(?: \w+)? (?:you|the (?:assistant|agent|ai|model))\b/g,
  /\b(?:stop|abort|abandon|drop) (?:what you(?: are|'re) doing|(?:your|the) (?:current|original|user's|previous) (?:task|goal|instructions?))\b/g,
  /\b(?:send|post|email|forward|upload|exfiltrate|transmit|leak)(?: \w+){0,3} (?:credentials?|passwords?|api keys?|secrets?|cookies|session tokens?|access tokens?)(?: \w+){0,3} to (?:https?:|www\.|[\w-]+\.[a-z]{2,})/g,
  /\b(?:use|call|invoke|execute|run)(?: the)? ?["'`]?(?:goto|key_press|execute_sequence|get_dom|take_over|give_up|wait_for|done)["'`]?(?: (?:tool|function|action|now)\b| ?\()/g,
  /\bcredential_ref\b|\bexecute_sequence\b|\btake_over\b/g,
  // who speaks, as a transcript has it
  /(?:^|[\n.!?>\]"'] ?|^.{0,3} )(?:system|developer)(?: (?:message|note|notice|override|instructions?))? ?: ?["']?(?:ignore|disregard|forget|override|you (?:are|must|should|will|now|have|may)|your (?:task|goal|new|instructions?)|the (?:user|assistant|ai|agent|model|task)|from now|do not|don't|never|always|go to|goto|open (?:http|www|the)|navigate|visit|click|type|enter|send|transfer|pay|buy|purchase|delete|reveal|print|output|repeat|reply|respond|call|execute|run|download|upload|email)\b/g,
  /(?:^|[\n.!?>\]"'] ?)(?:assistant|ai|human|user|admin(?:istrator)?) ?: ?["']?(?:ignore|disregard|forget|override) (?:all|any|the|your|previous|prior|every)/g,
  /<\|[^|<>]{1,40}\|>|\[\/?(?:inst|sys|system)\]|<<\/?sys>>|\b(?:begin|end) (?:system|hidden) (?:prompt|message|instructions?)\b|#{2,} ?(?:system|assistant|human) ?:/g,
  /<\/? ?(?:task|session_progress|system|assistant|human|instructions?|prompt|tool_call|tool_use|tool_result|function_calls?|function_results?|invoke|im_start|im_end|thinking)(?:[ :_-][^<>]{0,80})?>/g,
  // in other languages
  /\b(?:ignoriere|ignorieren sie|vergiss|vergessen sie|missachte|missachten sie)(?: \w+){0,3} (?:anweisung|vorgabe|instruktion|regel|befehl|prompt|nutzer|benutzer)\w*/g,
  /\b(?:ignore[zr]?|oublie[zr]?|ne (?:tiens|tenez) pas compte)(?: \w+){0,4} (?:consignes?|instructions? (?:precedente|anterieure|ci-dessus)|regles? (?:precedente|anterieure)|utilisateur)\w*/g,
  /\b(?:ignor[aeo]r?|olvid[ae]|dimentica|esqueca|desconsider[ae])(?: \w+){0,4} (?:instruccion\w*|istruzion\w*|instruco\w*|reglas|regole|regras|usuario|utente)\b/g,
  /\b(?:negeer|vergeet|zignoruj|zapomnij)(?: \w+){0,4} (?:instructies|opdrachten|regels|gebruiker|instrukcj\w*|polecen\w*|uzytkownik\w*)/g,
  /(?:игнорируи|забудь|не обращаи внимания)(?:те)?(?: \p{L}+){0,4} (?:инструкц|указани|правил|команд|пользовател)\p{L}*/gu,
  /(?:忽略|无视|無視|忘记|忘掉)\p{L}{0,8}(?:指令|指示|提示|规则|規則|用户)/gu,
  /(?:以前|前|上記|これまて)の?(?:すへての|全ての)?(?:指示|命令|フロンフト)\p{L}{0,4}(?:無視|忘れ)/gu,
  /(?:이전|위의?|모든)[\p{L} ]{0,8}(?:지시|명령|지침)[\p{L} ]{0,4}(?:무시|잊)/gu,
];
