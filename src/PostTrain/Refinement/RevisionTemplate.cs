using System.Text.RegularExpressions;
using PostTrain.Data;
using PostTrain.Rewards;
using PostTrain.Text;

namespace PostTrain.Refinement;

/// <summary>The prompt of a revision: a format with problem, earlier attempt and feedback.</summary>
/// <remarks>
/// All texts are inserted in one pass, so a text that contains <c>{feedback}</c> is unchanged. Quotation breaks <c>&lt;/</c> and
/// <c>&lt;|</c>, the beginnings of closing tags and of a model's special tokens, in the attempt and in the feedback, so that neither can
/// end its quotation and impersonate the other. The problem's prompt is not quoted, since the policy receives it anyway. A format without
/// such tags needs its own quotation functions.
/// </remarks>
public sealed partial record RevisionTemplate
{
    /// <summary>The format, with <c>{problem}</c>, <c>{attempt}</c> and <c>{feedback}</c> any number of times; other braces are text.
    /// Without <c>{attempt}</c> the problem is asked again from scratch.</summary>
    /// <value>The default encloses each text in a tag.</value>
    public string Format { get; init; } =
        """
            {problem}
            <attempt>
            {attempt}
            </attempt>
            <feedback>
            {feedback}
            </feedback>
            Improved answer:

            """;

    /// <summary>Quotes the attempt for the prompt; it can also shorten it, for instance to its answer.</summary>
    /// <value>The default is <see cref="Quote"/>.</value>
    public Func<string, string> QuoteAttempt { get; init; } = Quote;

    /// <summary>Quotes the feedback for the prompt.</summary>
    /// <value>The default is <see cref="Quote"/>.</value>
    public Func<string, string> QuoteFeedback { get; init; } = Quote;

    /// <summary>Inserts a space into each <c>&lt;/</c> and <c>&lt;|</c> of a text.</summary>
    public static string Quote(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Replace("</", "< /", StringComparison.Ordinal).Replace("<|", "< |", StringComparison.Ordinal);
    }

    /// <summary>Returns the prompt. It is marked as rendered if the problem's prompt is.</summary>
    /// <param name="problem">The problem.</param>
    /// <param name="attempt">The earlier attempt.</param>
    /// <param name="feedback">The feedback on it.</param>
    public MarkedText Apply(Problem problem, Completion attempt, Feedback feedback)
    {
        ArgumentNullException.ThrowIfNull(problem);
        ArgumentNullException.ThrowIfNull(attempt);
        ArgumentNullException.ThrowIfNull(feedback);
        var (earlier, said) = (QuoteAttempt(attempt.Text), QuoteFeedback(feedback.Text));
        var text = Places()
            .Replace(
                Format,
                place =>
                    place.ValueSpan switch
                    {
                        "{problem}" => problem.Prompt,
                        "{attempt}" => earlier,
                        _ => said,
                    }
            );
        return problem.Prompt with { Text = text };
    }

    /// <summary>Returns the prompt of a request: the problem's own for a first attempt.</summary>
    internal MarkedText Prompt(DraftRequest request) =>
        request.Earlier is null
            ? request.Problem.Prompt
            : Apply(request.Problem, request.Earlier, request.Feedback ?? new Feedback("", double.NaN, false));

    [GeneratedRegex(@"\{(problem|attempt|feedback)\}", RegexOptions.CultureInvariant)]
    private static partial Regex Places();
}
