using PostTrain.Text;

namespace PostTrain.Data;

/// <summary>Kind of finding about an example.</summary>
/// <param name="Name">Words joined by hyphens.</param>
/// <param name="Text">Predicate of a sentence whose subject is the examples: "have …".</param>
/// <param name="Advice">Meaning of the finding and what to do.</param>
public sealed record DataFinding(string Name, string Text, string Advice)
{
    /// <summary>True if nothing needs to be done.</summary>
    /// <value>The default is false.</value>
    public bool IsHarmless { get; init; }

    /// <summary>The tokens of a prompt are not the beginning of those of prompt and completion.</summary>
    internal static DataFinding JoinedBorder { get; } =
        new(
            "joined-border",
            "have a prompt whose tokens are not the beginning of the tokens of prompt and completion together",
            "The tokenizer joins letters across the border, which a model that samples after the prompt never sees. Training uses the ids "
                + "that sampling sees: those of the prompt alone, then those of the completion. Most often the prompt ends with a space "
                + "that belongs to the completion: end the template before the space, and begin the completion with it."
        );

    /// <summary>A prompt for sampling ends with a space that belongs to the next token.</summary>
    internal static DataFinding OpenPrompt { get; } =
        new(
            "open-prompt",
            "have a prompt that ends with white space which the tokenizer joins with the text after it",
            "The model has to go on from a space without its word, which it has hardly ever read. End the prompt before the white space: "
                + "the completion begins with it."
        );

    /// <summary>No token of an example is learnt.</summary>
    internal static DataFinding NothingLearnt { get; } =
        new(
            "nothing-learnt",
            "have no token that is learnt and are left out",
            "The completion is empty, or the conversation has no message of the assistant, or the template's {% generation %} blocks leave "
                + "the assistant's text out."
        );

    /// <summary>The learnt part of a rendered text has no token that ends a turn.</summary>
    internal static DataFinding EndNotLearnt { get; } =
        new(
            "end-not-learnt",
            "are rendered by a template and have no token that ends the answer among those that are learnt",
            "A model that learns from them does not learn to stop. Put the end of the turn inside the template's {% generation %} block "
                + "(see ChatTemplate.Check), or end answers with Sampling.StopStrings."
        );

    /// <summary>A conversation became several examples.</summary>
    internal static DataFinding SplitConversation { get; } =
        new(
            "split-conversation",
            "are conversations whose earlier turns the chat template changes when others follow",
            "Each became one example for each message of the assistant, with the conversation before it as sampling sees it. A template "
                + "with {% generation %} blocks keeps them whole."
        )
        {
            IsHarmless = true,
        };

    /// <summary>A sequence was cut.</summary>
    internal static DataFinding Truncated(int tokens, TruncationSide side) =>
        new(
            "truncated",
            $"have more than {tokens} tokens and were cut on the {(side == TruncationSide.Left ? "left" : "right")}",
            "Raise Truncation.MaximumTokens if the model's context allows it."
        )
        {
            IsHarmless = true,
        };

    /// <summary>A sequence was cut, and with it everything that is learnt.</summary>
    internal static DataFinding TruncatedAway(int tokens, TruncationSide side) =>
        new(
            "truncated-away",
            $"lose everything that is learnt when they are cut to {tokens} tokens and are left out",
            side == TruncationSide.Right
                ? "The prompt alone fills the limit: raise Truncation.MaximumTokens, or cut on the left."
                : "Only text that is not learnt is left: raise Truncation.MaximumTokens, or cut on the right."
        );
}
