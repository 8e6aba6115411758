using Microsoft.Extensions.AI;
using PostTrain.Rewards;

namespace PostTrain.Refinement;

/// <summary>A chat client that writes and revises: each text is the answer to one message, the problem's prompt or the template's.</summary>
/// <remarks>Its completions have no tokens. What the client throws at the last try reaches the caller.</remarks>
public sealed class ChatRefiner : IRefiner
{
    private readonly IChatClient client;
    private readonly ChatRefinerOptions options;

    /// <param name="client">Answers; must bear <see cref="ChatRefinerOptions.Parallelism"/> messages at a time.</param>
    /// <param name="options">The defaults when null.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public ChatRefiner(IChatClient client, ChatRefinerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(client);
        this.options = options ?? new ChatRefinerOptions();
        this.options.Validate();
        this.client = client;
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<Draft?>> WriteAsync(IReadOnlyList<DraftRequest> requests, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        var drafts = new Draft?[requests.Count];
        await Parallel.ForAsync(0, drafts.Length, new ParallelOptions { MaxDegreeOfParallelism = options.Parallelism, CancellationToken = cancellation },
            async (i, token) => drafts[i] = await AskAsync(requests[i], token).ConfigureAwait(false)).ConfigureAwait(false);
        return drafts;
    }

    private async Task<Draft> AskAsync(DraftRequest request, CancellationToken cancellation)
    {
        string prompt = request.Earlier is null ? request.Problem.Prompt
            : options.Template.Apply(request.Problem, request.Earlier, request.Feedback ?? new Feedback("", double.NaN, false));
        var response = await Patience.RepeatedAsync(
            token => Patience.WithinAsync(limited => client.GetResponseAsync([new ChatMessage(ChatRole.User, prompt)], options.Chat, limited), "the refiner's client", options.Timeout, options.Time, token),
            options.Retry, options.Time, cancellation).ConfigureAwait(false);
        return new Draft(prompt, new Completion(request.Problem, response.Text, [], response.FinishReason != ChatFinishReason.Length));
    }
}
