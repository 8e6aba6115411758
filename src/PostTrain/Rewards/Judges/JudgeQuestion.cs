using System.Globalization;
using Microsoft.Extensions.AI;
using PostTrain.Data;

namespace PostTrain.Rewards.Judges;

/// <summary>Asks a chat client one question, with a time limit, retries, and a verdict in double brackets that judged texts cannot
/// forge.</summary>
internal static class JudgeQuestion
{
    private const int LongestReply = 4000;

    /// <summary>Returns the verdict that <paramref name="read"/> finds; NaN if no attempt gave one. An exception of the client at the last
    /// attempt reaches the caller.</summary>
    private static async Task<double> AskAsync(
        IChatClient client,
        string question,
        Func<ChatResponse, double?> read,
        JudgeOptions options,
        CancellationToken cancellation
    )
    {
        try
        {
            return await Patience
                .RepeatedAsync(
                    async token =>
                    {
                        var response = await TimeLimit
                            .WithinAsync(
                                limited => client.GetResponseAsync([new ChatMessage(ChatRole.User, question)], options.Chat, limited),
                                $"judge '{options.Name}'",
                                options.Timeout,
                                options.Time,
                                token
                            )
                            .ConfigureAwait(false);
                        return read(response) ?? throw new NoVerdictException();
                    },
                    options.Retry,
                    options.Time,
                    cancellation
                )
                .ConfigureAwait(false);
        }
        catch (NoVerdictException)
        {
            return double.NaN;
        }
    }

    /// <summary>Returns the mean verdict of the samples that have one; NaN if none has.</summary>
    internal static async Task<double> MeanAsync(
        IChatClient client,
        string question,
        Func<ChatResponse, double?> read,
        JudgeOptions options,
        CancellationToken cancellation
    )
    {
        var verdicts = new List<double>();
        for (var i = 0; i < options.Samples; i++)
        {
            var verdict = await AskAsync(client, question, read, options, cancellation).ConfigureAwait(false);
            if (!double.IsNaN(verdict))
                verdicts.Add(verdict);
        }

        return verdicts.Count == 0 ? double.NaN : verdicts.Average();
    }

    /// <summary>Returns the text in the last [[...]] of a reply, or null.</summary>
    internal static string? Verdict(string? reply)
    {
        if (reply is null)
            return null;
        var text = reply.AsSpan(Math.Max(0, reply.Length - LongestReply));
        var end = text.LastIndexOf("]]", StringComparison.Ordinal);
        var start = end < 0 ? -1 : text[..end].LastIndexOf("[[", StringComparison.Ordinal);
        return start < 0 ? null : text[(start + 2)..end].Trim().ToString();
    }

    /// <summary>Returns the text before the last [[...]] of a reply, trimmed; the whole reply if there is none.</summary>
    internal static string Reasons(string reply)
    {
        var start = reply.LastIndexOf("]]", StringComparison.Ordinal) is var end and >= 0
            ? reply.AsSpan(0, end).LastIndexOf("[[", StringComparison.Ordinal)
            : -1;
        return (start < 0 ? reply : reply[..start]).Trim();
    }

    internal static int? Mark(string? reply, int lowest, int highest) =>
        int.TryParse(Verdict(reply), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var mark)
        && mark >= lowest
        && mark <= highest
            ? mark
            : null;

    /// <summary>Quotes a text for a question: it can neither close its quotation nor contain a verdict.</summary>
    internal static string Quoted(string text) =>
        text.Replace("[[", "[ [", StringComparison.Ordinal)
            .Replace("]]", "] ]", StringComparison.Ordinal)
            .Replace("</", "< /", StringComparison.Ordinal);

    // Never leaves this class: a reply without a verdict is retried like an error.
    private sealed class NoVerdictException : Exception;
}
