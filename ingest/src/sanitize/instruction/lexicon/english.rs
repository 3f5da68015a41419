//! English cues, and those that every language shares.

use crate::sanitize::instruction::{lexicon::Group, prelude::*};

pub(super) const GROUPS: &[Group] = &[
    (
        AI,
        "ai|a.i.|ais|assistant|assistants|ai assistant*|ai model*|ai system*|ai agent*|ai bot*|ai chatbot*|ai reviewer*|ai reader*|ai coding agent*|coding agent*|virtual assistant*|digital assistant*|llm|llms|large language model*|language model*|chatbot*|chat bot*|chatgpt|gpt|claude|gemini|copilot|automated agent*|automated reviewer*|automated analysis|automated system*|automated assistant*|automated summar*|automated screening|analysis software|artificial intelligence|machine reader*|machine reviewer*|agentic system*|omniscient ai",
    ),
    (AI, "assistant-only|assistant_*|ai_*|_assistant*|llm_*|for-ai|to-ai"),
    (
        AGENT,
        "agent|agents|model|models|bot|bots|crawler*|scraper*|summarizer*|summariser*|retriever*|reviewer|reviewers|pipeline|copilots",
    ),
    (
        0,
        "assistant professor*|assistant manager*|assistant director*|assistant editor*|assistant coach*|assistant secretar*|assistant engineer*|shop assistant*|teaching assistant*|research assistant*|physician assistant*|dental assistant*|user agent*|user-agent*|real estate agent*|travel agent*|data model*|security model*|threat model*|business model*|role model*|memory model*|object model*|programming model*|concurrency model*|assistant message*|assistant turn*",
    ),
    (
        ABOUT,
        "ai developer*|ai engineer*|ai research*|ai generation|ai generated|ai-generated|ai safety|ai application*|ai product*|ai compan*|ai communit*|ai tool*|ai feature*|llm-generated|llm application*|llm provider*|llm app*|llm-powered|ai-powered|generative ai|gen ai|openai|anthropic|gpt-*",
    ),
    (YOU, "you|u|you're|yourself|thou|ye"),
    (YOUR, "your|ur|thy|my"),
    (
        IGNORE,
        "ignore*|ignoring|disregard*|forget|forgets|forgetting|override|overrides|overriding|overrule*|bypass*|neglect|overlook|discard|dismiss|set aside|put aside|throw away|throw out|cancel|erase|clear out|wipe|drop|pay no attention to|pay no heed to|do not follow|don't follow|dont follow|never follow|stop following|no longer follow|do not obey|don't obey|stop obeying|do not comply with|do not adhere to|cease following|leave out|leave aside|not bound by|no longer bound by|not subject to|no longer subject to|break free from|do away with|stop answering|you are free from|abandon|suspend|violate|circumvent|ignore",
    ),
    (IGNORE, "reset"),
    (
        PRIOR,
        "previous|previously|prior|above|earlier|preceding|foregoing|former|original|initial|existing|pre-existing|preexisting|past|before this|came before|come before|given before|so far|up to this point|up until now|until now|you were given|you were told|you have been given|you've been given|you received|you have received|i gave you|i told you|been told|given to you|safety|ethical|content|moral|hidden|we discussed|we talked about|was wir besprochen haben|de lo que hablamos",
    ),
    (ALL, "all|any|every|each|everything|anything|entire|whole|other|these|those|such|system|developer"),
    (
        INSTRUCTION,
        "instruction|instructions|instructional text|guideline|guidelines|directive|directives|directions|programming|prompt|prompts|guardrail*|alignment|system message*|developer message*|developer instructions|system instructions|safety measures|safety protocols|safety filter*|safeguards|content policy|content policies|usage policies|safety rules|safety guidelines|what you were told|what you have been told|what you've been told|everything you were told|everything you know|everything you have been told",
    ),
    (
        RULE,
        "rule|rules|command|commands|request|requests|context|constraint|constraints|restriction|restrictions|policy|policies|protocol|protocols|task|tasks|question|questions|query|queries|orders|training|limitations|boundaries|filters|scoring|criteria|objective|objectives|goal|goals|manual scoring|safety checks|checks|confirmations|verification|safety rules",
    ),
    (
        MATTER,
        "text|data|document|article|passage|content|contents|information|info|message|messages|conversation|input|inputs|indicators|evidence|page|the rest|rest of",
    ),
    (
        PROMPT,
        "system prompt*|system-prompt*|system_prompt*|systemprompt*|initial prompt*|initial instructions|original prompt|hidden prompt*|secret prompt*|your prompt|your prompts|pre-prompt|preprompt|meta prompt|base prompt|master prompt|developer prompt|context window|words above|text above this|above this message|see above this message|sentences above|everything above|hidden instructions|secret instructions|your instructions|your system instructions|your guidelines|your directives|your rules|your initial|your configuration|operating instructions|custom instructions|instructions you were given|instructions you have been given|instructions you received|prompt you were given|instructions that you were given|what were you told|first sentence of your|the words above|the text above|the sentences above|the instructions above|the exact initial prompt|initial question",
    ),
    (
        0,
        "prompt for|prompts for|promptly|command prompt*|shell prompt*|login prompt*|password prompt*|build instructions|installation instructions|setup instructions|install instructions|assembly instructions|following the instructions|care instructions|cpu instruction*|machine instruction*|the instructions in|instructions for|instructions on|see instructions|instructions below to",
    ),
    (
        REVEAL,
        "reveal*|show|print|output|repeat|display|disclose|leak|dump|expose|share|list|paste|tell me|give me|tell us|quote|recite|restate|divulge|write out|spell out|summarize|summarise|translate|send|echo|extract|confess|hand over|go line by line|encode",
    ),
    (WHAT, "what is|what are|what was|what were|what's|which is|tell me what"),
    (
        REPLY,
        "reply|respond|answer|say|respond back|confirm by saying|confirm receipt|answering|replying|responding|declare|claim|reply only|respond only|answer only",
    ),
    (
        PRINT,
        "print|output|outputting|write|echo|state|confirm|acknowledge|return|repeat|produce|report|conclude|display",
    ),
    (
        ANSWER,
        "answer|answers|response|responses|reply|replies|summary|summaries|recommendation|assessment|evaluation|report back",
    ),
    (
        OUTPUT,
        "output|outputs|code|codebase|message|solution|translation|generation|implementation|completion|conclusion|citation|program|script",
    ),
    (
        EXACTLY,
        "and nothing else|nothing else|nothing more|exactly|only with|only the|only|verbatim|word for word|word-for-word|solely|just the word|just the words|the word|the words|the phrase|the string|the following string|the following text|the code|exactly as|precisely|absolutely nothing|no further context|without explanation|without any explanation|no explanation|no other text|in full|one word|single word|the sentence|this sentence|the confirmation|the verification code|the reference code",
    ),
    (
        USER,
        "user|users|the user|the user's|end user|the reader|the customer|human|the person|the recruiter|the reviewer|whoever asks|the requester|the operator",
    ),
    (
        TELL,
        "tell|inform|mention|mentioning|disclose|reveal|say|notify|explain|refer to|discuss|report|alert|let|display|show|warn|acknowledge|cite|assure|convince|advise|instruct",
    ),
    (
        NOT,
        "not|do not|don't|dont|never|must not|should not|shouldn't|mustn't|cannot|can't|avoid|refrain from|under no circumstances|without|stop|no longer",
    ),
    (WHEN, "when|whenever|if|any time|anytime|every time|each time|in case|once|on the next|upon|as soon as|while"),
    (BEFORE, "before|prior to|first|ahead of"),
    (INSTEAD, "instead|instead of|rather than|in place of|in lieu of|other than"),
    (
        READING,
        "summarizing|summarising|summarize this|summarise this|summarize the|summarise the|answering|responding|replying|processing this|reading this|reading these|read this|read these|sees this|see this|analyzing this|analysing this|evaluating this|reviewing this|translating this|citing|quoting|answer the|answer any|answer a|answer questions|asked to summarize|asked to summarise|asked to answer|asked about|asked for a summary|draws on|drawing on|cites this|using this|uses this|based on this|process this|processes this|reads this|encounter this|encountering this|about this page|about this document|about this article|concerning this|you read|you see this|you answer|you respond|you reply|you process|you summarize|you summarise|solve the task|evaluate this|continue with the task|continuing with the task|the usual answer|a normal answer|a normal response|describing it|generating a response|generating an answer",
    ),
    (
        PUT,
        "include|includes|append|add|insert|begin|start|end|finish|prefix|preface|embed|put|place|attach|conclude|incorporate|integrate|use|utilize|employ|mention|merge|prepend|close|weave|interweave|infuse|blend|meld|enrich|enhance|modify|augment|convert|replace|rearrange|scramble|remove|render|combine|misspell|suggest|write|provide|present|reverse|encode|recommend|promote|advertise|cite|phrase|phrased|format|give|fuse|complement|implement|substitute|alter|adapt|transform|change|swap|anagram|capitalize|shuffle|inject|deliver|group|introduce|absorb|make|keep|offer|tease|link|direct|point|spell|type",
    ),
    (
        SEND,
        "send|sends|sending|forward|forwards|email|e-mail|mail|post|upload|exfiltrate*|transmit|leak|share|submit|deliver|relay|report|copy|push|beacon|ping|transfer|append|pass|export|sync|encode|bcc|cc",
    ),
    (
        SECRET,
        "api key*|apikey*|password*|passphrase*|credential*|secret key*|secret code*|secret|secrets|access token*|auth token*|session token*|private key*|ssh key*|personal data|personal information|confidential*|sensitive data|sensitive information|environment variables|env vars|reset token*|credit card*|account number*|bank details|internal documents|unique id|internal data|proprietary|private data|private messages|restricted ones|metadata service|security-credentials|your configuration|admin pages",
    ),
    (
        CHAT,
        "conversation history|chat history|entire conversation|this conversation|the conversation|customer list*|customer data|customer records|user data|user's data|user's email|user's name|user's full name|user's api key|other documents|every other document|every document|all documents|the full context|contents of your context|your context|internal file path|summary_of_conversation|record summary|this summary|processed result|retrieved documents|documents you|everything the user|previous messages|the user's question|tools available|every tool|tools or functions",
    ),
    (
        PLACE,
        "http://|https://|www.|ftp://|hxxp|webhook*|attacker|evil|external server|external address|collector|this address|the following address|this url|the following url|this link|the following link|@gmail.com|@evil*|email address|@*|externally|outside server|third-party server|to an external",
    ),
    (CALL, "call|invoke|execute|run|use|trigger|launch"),
    (
        TOOL,
        "tool|tools|function call|plugin|send_email|delete_file|delete_document|http_post|http_get|fetch_url|send_message|read_file|write_file|run_command|execute_code|execute_command|transfer_funds|send_money|post_message|create_user|http_request|web_search|browser tool|email tool|shell tool|tool call|tool_call",
    ),
    (
        WEAK_MODE,
        "test mode|training mode|maintenance mode|debug mode|debugging mode|diagnostic mode|admin mode|administrator mode|experimental features",
    ),
    (
        MODE,
        "developer mode|dev mode|god mode|sudo mode|root mode|dan mode|jailbreak mode|unrestricted mode|opposite mode|chaos mode|unfiltered mode|evil mode|safe mode off|override mode|privileged mode|jailbroken|debugger mode|operating in developer|administrative privileges",
    ),
    (
        FREE,
        "no restrictions|without restrictions|without any restrictions|without restriction|no limits|without limits|without limit|no limitations|without limitations|no filter|no filters|without filter|without filters|without any filter|unrestricted|unfiltered|uncensored|no rules|without rules|no guidelines|no longer bound|not bound by|not subject to any|free of all|free from all|free of any|free from any|no content policy|no ethical|no moral|without censorship|no censorship|no guardrails|without guardrails|unbound|anything goes|allow all content|comply with every request|comply with all requests|answer any question|answer every question|answer everything|respond to everything|safety protocols disabled|filters disabled|restrictions lifted|restrictions removed|restrictions are lifted|restrictions do not apply|guidelines do not apply|rules do not apply|rules don't apply|policy does not apply|do anything|can do anything|unconstrained|without refusing|never refuse|unrestrained imagination|all boundaries|do not apply here",
    ),
    (
        BECOME,
        "you are now|you're now|you are no longer|you're no longer|you will now|you now|you shall now|you must now|you will act|you shall act|your new role|your new identity|your new name|your role is|you are going to act|you are going to pretend|you become|you are operating|you are running as|you are currently operating|you will be playing|you are free|you are cleared to|you are authorized to|you are authorised to|you are permitted to|you may now|you are hereby|you are dan|you are stan|you are aim|you are an ai|you are an omniscient|you've been assigned|you have been assigned|you are to|you are required to|you are instructed to|you are hereby instructed",
    ),
    (
        0,
        "you are now ready|you are now able|you are now logged|you are now connected|you are now set|you are now using|you are now familiar|you are now done|you are now viewing|you are now subscribed|you are now signed|you are now going|you are now in the|you now have|you now know|you now need|you now can|you now see|you will now see|you will now have|you will now be able|you will now need|you may now close|you may now want|you may now need|you are free to|you are required to use|you are required to provide|you are required to have",
    ),
    (
        HENCEFORTH,
        "from now on|from this point|from here on|henceforth|from this moment|going forward|effective immediately|until further notice|for the rest of this|for the remainder of|in all future|for all future|starting now|with immediate effect|on the next user message|your very next response|starting with your next",
    ),
    (
        PRETEND,
        "act as|act like|pretend to be|pretend you|pretend that you|roleplay as|role-play as|role play as|simulate being|imagine you are|imagine that you are|behave as|behave like|take on the role|assume the role|play the role|respond as|answer as if|respond as if|speak as|you are a|you are an|you are the",
    ),
    (
        AUTHORITY,
        "system|admin|administrator|sysadmin|developer|developers|root|security|security team|openai|anthropic|the author|supervisor|operator|moderator|management|compliance|it department|ceo|the owner|creator|creators|the developer",
    ),
    (
        NOTICE,
        "note|notice|message|update|override|alert|reminder|announcement|directive|memo|disclaimer|attention|important|urgent|critical|warning|emergency|instruction|instructions|command|request|prompt|policy|task|mode|advisory|requirement|hint|remark|comment|footnote|check|directives|postinstall|hook|step",
    ),
    (
        OBEY,
        "follow|execute|carry out|perform|complete|act on|do exactly what|do what it says|follow it|follow the instruction inside|execute it|do the following|follow them|execute them|carry them out|honor|prioritize",
    ),
    (
        OBEY | STRICT,
        "obey|adhere to|strictly adhere|strictly adhere to|strictly follow|comply with|adhere|abide by|obey only|follow only|must follow|must obey",
    ),
    (
        IF_ASKED,
        "if asked|when asked|whenever asked|if questioned|when questioned|if queried|when queried|if anyone asks|if someone asks|when someone asks|when anyone asks|if they ask|if asked to|if you are asked to|if you are told to|when asked to|if told to|if you're asked to|whenever you are asked|if you are asked",
    ),
    (
        SNIPPET,
        "code block|code blocks|code snippet|code snippets|code excerpt|code section|code segment|code fragment|piece of code",
    ),
    (FOLLOWING, "the following|following|these|this|new|below|inside|it says|hidden in|contained in|subsequent"),
    (
        MUST,
        "must|should|have to|has to|need to|needs to|required to|shall|always|ought to|make sure to|make sure you|be sure to|ensure|ensure to|ensure you|ensure that you|it is crucial|it is important that you|it is crucial you|remember to|mandatory|are instructed to|are requested to|are to|will",
    ),
    (NEW, "new|updated|revised|additional|special|secret|latest"),
    (END, "end of|end|start of|beginning of|begin|close of|[/"),
    (
        SESSION,
        "session|user input|prompt|system prompt|instructions|conversation|user query|user message|untrusted|retrieved|context block",
    ),
    (
        DECODE,
        "decode|decoded|base64|base-64|base32|rot13|rot-13|hex|hexadecimal|encoded|decipher|decrypt|unscramble|morse|caesar|binary encoded|ascii85|url-encoded|percent-encoded|reversed",
    ),
    (
        SECRETLY,
        "secretly|silently|covertly|quietly|without telling|without informing|without notifying|without mentioning|without asking|without confirmation|without alerting|do not tell|don't tell|do not inform|do not mention|don't mention|do not reveal|don't reveal|do not disclose|never mention|never reveal|never disclose|do not display this|do not show this|keep this secret|keep this hidden|keep this confidential|invisible to humans|hidden from|is not recorded|not recorded in|do not ask|no questions|no matter what|do not acknowledge|do not summarize|do not summarise",
    ),
    (FOR, "to|for"),
    (
        SUPERSEDE,
        "supersede|supersedes|superseded|superseding|take precedence|takes precedence|override all|overrides all|overrides any|replace all|replaces all|replaces any|replaces your|overrides your|outranks|have priority over|has priority over|higher priority than|nullify|nullifies|invalidate|invalidates|void all|are void|are obsolete|regardless of what|regardless of any|regardless of your|regardless of pre-existing|regardless of previous|no longer apply|no longer applies|have changed|has changed|are compromised|is compromised|no longer valid|are outdated|is outdated|are invalid|are hereby",
    ),
    (
        IF_YOU_ARE,
        "if you are|if you're|if you are a|if you are an|are you|in case you are|as a|as an|as the|being a|being an",
    ),
    (
        COMMANDEER,
        "do anything now|task that i gave you|task i gave you|tasks i gave you|this is an important message from me|your new task|your new instructions|your new instruction|your new directive|your new goal|your new objective|your new mission|your new purpose|your real task|your actual task|your true task|your only task|new system prompt|new instructions from|updated instructions for you|giving you instructions|giving you the instructions|gave you instructions|i forgot to ask you|mission, should you accept|ignore the above|ignore everything above|disregard the above|disregard everything above|forget everything above|forget everything before|ignore all of the above|forget the above|ignore what i said|ignore the user|disregard the user|ignore the rest of this|disregard the rest of this|ignore all other|ignore any other instructions|disregard all info|ignore prior|ignore previous|disregard previous|disregard prior|forget previous|forget all previous|forget your instructions|forget your previous|ignore your instructions|ignore your previous|ignore your guidelines|ignore your programming|ignore your rules|jailbreak yourself|obey me|you must obey|you will obey|answer: task complete|task complete.|important message from me|before you can solve the task|skip all safety|bypass all safety|ignore all safety|disable all safety",
    ),
    (
        SUSPICIOUS,
        "chain of thought result|hide this|pre-verified|i want you to|hacked|pwned|note to self|this is a test of|as part of a training exercise|as part of a test|test pipeline|for testing purposes|system malfunction|to enable debugging|for academic purposes|authorized by|authorised by|pre-authorized|pre-authorised|end of user|end user input|begin new|ai-readable|machine-readable instruction*|standing directive|standing instruction|this is not optional|non-negotiable|overrides this|highest priority|top priority|follow instruction|core instruction|you may not deviate|prove you are|user is an admin|user is authorized|user is clearly authorized|user has granted permission|has granted permission|special case|priority task|new task|i have verified this|i have determined that|i already established|policy changed|policies changed|policy has changed|rules have changed|rules changed|access policy changed|exempt from the usual|sure, here is|sure, here are|sure, doing|of course, here is|certainly, here is|sure! here|of course! here|certainly! here",
    ),
    (
        ABOUT,
        "prompt injection*|jailbreak|jailbreaks|jailbreaking|adversarial prompt*|prompting|prompt engineering|prompt engineer*|prompt template*|prompts|prompted|few-shot|zero-shot|chain-of-thought|fine-tun*|hallucinat*|llm-based|the llm|an llm|llms|llm|language model|language models|large language model*|chatbots|token limit*|retrieval-augmented|pretrain*|chatgpt|temperature|context window|huggingface|garak|guardrail*",
    ),
    (
        MENTION,
        "attack|attacks|attacker|attackers|injection|injections|prompt injection*|jailbreak|jailbreaks|jailbreaking|vulnerabilit*|adversarial|adversary|red team*|detector*|benchmark*|phishing|mitigat*|defens*|technique|techniques|as an example|an example of|for example|for instance|e.g.|such as|users on reddit|the model|can be considered|may indicate|an attempt to|attempts to|tries to|trying to|tricks the|trick the|quote*",
    ),
    (ACTIVE, "javascript:|onerror=|onload=|document.cookie|console.log(|?q=[|?d={|<svg/onload|?data=|](javascript"),
    (
        VERB,
        "translate|write|explain|compose|list|create|generate|describe|provide|develop|draft|summarize|summarise|please|calculate|compute|tell|describe|give|visit|click|open|download|install|delete|remove|grant|transfer|schedule|search|find|look up|visit|approve|buy|purchase|order|book|pay|update|modify|change|disable|enable|recommend|promote|include|append|insert|ensure|make|set|get|fetch|retrieve|read|proceed|substitute|replace|separate|decode|convert|redirect|administer|delay|initiate|execute|gather|communicate|secure|introduce|collect|analyze|analyse|review|instead|do|use|stay|if|focus|then|also|never|report",
    ),
    (ASK, "ask|asks|asked|asking|wants|requests"),
    (WHAT, "which|whose"),
    (
        RECOMMEND,
        "recommend hiring|hire|highly recommended|immediate hire|rate|rank|score|approve|endorse|best candidate|most qualified|the best choice|positive review|give a positive|focus exclusively on|focus only on|report only|output:|only positive|top recommendation|supremely qualified|extremely qualified|accept this paper|give it a high|exceeds all requirements|exceptional match|the only choice",
    ),
    (
        TEMPLATE,
        "<¦im_start¦>|<¦im_end¦>|<¦endoftext¦>|<¦system¦>|<¦user¦>|<¦assistant¦>|<¦start_header_id¦>|<¦eot_id¦>|[inst]|[/inst]|<<sys>>|<</sys>>|<start_of_turn>|</s>|<system>|</system>|[system]|[/system]|[system|[admin|<admin>|<instruction>|<instructions>|</instruction>|</instructions>|<information>|<important>|<tool_result>|<function_results>|<system_prompt>|<system-reminder>|<assistant>|[/system_prompt]|### instruction|### system|<thinking>|<reasoning>|<scratchpad>",
    ),
    (QUOTE, "\""),
];
