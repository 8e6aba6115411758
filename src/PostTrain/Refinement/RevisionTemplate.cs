using System.Text.RegularExpressions;
using PostTrain.Data;
using PostTrain.Rewards;
using PostTrain.Text;

namespace PostTrain.Refinement;

/// <summary>The prompt of a revision: problem, earlier attempt and feedback in a format.</summary>
/// <remarks>
/// The texts are put in at once, so that a text which spells <c>{feedback}</c> stays as it is. The quotations break <c>&lt;/</c> and
/// <c>&lt;|</c>, the beginnings of what closes a quotation and of a model's own marks, in the attempt and in the feedback, so that neither
/// can end its quotation and speak in the other's name. The problem's prompt is not quoted: it is what the policy is asked anyhow. A format
/// without such tags needs quotations that fit it.
/// </remarks>
public sealed partial record RevisionTemplate
{
    /// <summary>With <c>{problem}</c>, <c>{attempt}</c> and <c>{feedback}</c>, each as often as wanted; other braces are text. A format
    /// without <c>{attempt}</c> asks again from nothing.</summary>
    /// <value>The default names each text by a tag.</value>
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

    /// <summary>How the attempt stands in the prompt; for instance shortened to its answer.</summary>
    /// <value>The default is <see cref="Quote"/>.</value>
    public Func<string, string> QuoteAttempt { get; init; } = Quote;

    /// <summary>How the feedback stands in the prompt.</summary>
    /// <value>The default is <see cref="Quote"/>.</value>
    public Func<string, string> QuoteFeedback { get; init; } = Quote;

    /// <summary>A text with a space within each <c>&lt;/</c> and <c>&lt;|</c>.</summary>
    public static string Quote(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Replace("</", "< /", StringComparison.Ordinal).Replace("<|", "< |", StringComparison.Ordinal);
    }

    /// <summary>The prompt. It is marked as rendered where the problem's is, whose special tokens are written in it.</summary>
    /// <param name="problem">The problem.</param>
    /// <param name="attempt">The earlier attempt.</param>
    /// <param name="feedback">What was said of it.</param>
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

    /// <summary>The prompt of a request: the problem's own for a first attempt.</summary>
    internal MarkedText Prompt(DraftRequest request) =>
        request.Earlier is null
            ? request.Problem.Prompt
            : Apply(request.Problem, request.Earlier, request.Feedback ?? new Feedback("", double.NaN, false));

    [GeneratedRegex(@"\{(problem|attempt|feedback)\}", RegexOptions.CultureInvariant)]
    private static partial Regex Places();
}
