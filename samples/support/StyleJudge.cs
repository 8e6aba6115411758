using System.Text.RegularExpressions;
using Microsoft.Extensions.AI;

namespace PostTrain.Samples.Support;

/// <summary>Stands in for a language model that judges: it likes shown work, and whatever stands first, and checks nothing. Put a real client in its place.</summary>
/// <remarks>Both are well-known failings of real judges. The second is cancelled by asking in both orders, the first is not.</remarks>
public sealed partial class StyleJudge : IChatClient
{
    private const int LikingForFirst = 2;

    /// <inheritdoc/>
    public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        string question = string.Concat(messages.Select(message => message.Text));
        var answers = Answers().Matches(question);
        int first = Liking(answers[0].Groups["text"].Value) + LikingForFirst, second = Liking(answers[1].Groups["text"].Value);
        string verdict = first > second ? "[[A]]" : first < second ? "[[B]]" : "[[C]]";
        return Task.FromResult(new ChatResponse(new ChatMessage(ChatRole.Assistant, verdict)));
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var response = await GetResponseAsync(messages, options, cancellationToken).ConfigureAwait(false);
        foreach (var update in response.ToChatResponseUpdates()) yield return update;
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null) => serviceType?.IsInstanceOfType(this) == true ? this : null;

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    // Characters of work, not looked at any closer.
    private static int Liking(string answer) => Math.Min(answer.Trim().Length, 200) + 10 * answer.Count(character => character == '=');

    [GeneratedRegex("<answer_[AB]>(?<text>.*?)</answer_[AB]>", RegexOptions.Singleline)]
    private static partial Regex Answers();
}
