using PostTrain.Numerics;
using PostTrain.Rewards;
using PostTrain.Text;

namespace PostTrain.Refinement.Writing;

/// <summary>Any text source that writes and revises, a chat service above all: each text completes the problem's prompt or the
/// template's.</summary>
/// <remarks>Its completions have no tokens; for a local model take <see cref="ModelRefiner"/>, which keeps them. What the source throws
/// reaches the caller.</remarks>
/// <example><code>
/// var refiner = new TextRefiner(TextSource.Of(client));
/// </code></example>
public sealed class TextRefiner : IRefiner, IEndsWhenCancelled
{
    private readonly ITextSource source;
    private readonly RevisionTemplate template;
    private readonly TextRequest request;

    /// <param name="source">Writes.</param>
    /// <param name="template">The prompt of a revision; the template's default when null.</param>
    /// <param name="request">How texts are asked for; the defaults when null. Each round has a seed of its own, made of this one's.</param>
    /// <exception cref="ArgumentOutOfRangeException">The request is out of range.</exception>
    public TextRefiner(ITextSource source, RevisionTemplate? template = null, TextRequest? request = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        (this.source, this.template, this.request) = (
            source,
            template ?? new RevisionTemplate(),
            (request ?? new TextRequest()).Validated()
        );
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<Draft?>> WriteAsync(IReadOnlyList<DraftRequest> requests, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        MarkedText[] prompts = [.. requests.Select(template.Prompt)];
        ulong round = (ulong)requests.Select(item => item.Round).DefaultIfEmpty().Max();
        var texts = await TextSource
            .AskAsync(source, prompts, request with { Seed = CounterRandom.Bits(request.Seed, round) }, cancellation)
            .ConfigureAwait(false);
        return
        [
            .. requests
                .Zip(prompts, texts)
                .Select(item => new Draft(item.Second, new Completion(item.First.Problem, item.Third.Text, [], item.Third.Finished))),
        ];
    }
}
