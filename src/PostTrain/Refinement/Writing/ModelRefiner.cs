using PostTrain.Models;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Text;

namespace PostTrain.Refinement.Writing;

/// <summary>A refiner that uses a language model. First attempts continue the problem's prompt, revisions that of the template.</summary>
/// <remarks>A text is a function of the seed, the problem's index, the round and its prompt. Dropout is off; nothing is trained.</remarks>
public sealed class ModelRefiner : IRefiner, IEndsWhenCancelled
{
    private readonly CausalLm model;
    private readonly ITokenizer tokenizer;
    private readonly ModelRefinerOptions options;

    /// <param name="model">The model; owned by the caller.</param>
    /// <param name="tokenizer">Turns texts into the model's token ids and back.</param>
    /// <param name="options">The options; null for the defaults.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public ModelRefiner(CausalLm model, ITokenizer tokenizer, ModelRefinerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        this.options = options ?? new ModelRefinerOptions();
        this.options.Validate();
        (this.model, this.tokenizer) = (model, tokenizer);
    }

    /// <inheritdoc/>
    /// <remarks>A revision is written if its prompt leaves space for <see cref="SamplingOptions.MaxNewTokens"/> in the context; <see
    /// cref="RevisionTemplate.QuoteAttempt"/> can shorten long attempts.</remarks>
    /// <exception cref="ArgumentException">The prompt of a problem is empty or fills the model's context; the message names the
    /// problem.</exception>
    public ValueTask<IReadOnlyList<Draft?>> WriteAsync(IReadOnlyList<DraftRequest> requests, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        MarkedText[] prompts = [.. requests.Select(options.Template.Prompt)];
        int[][] ids = [.. prompts.Select(prompt => tokenizer.Encode(prompt))];
        var drafts = new Draft?[requests.Count];
        bool training = model.training;
        model.eval();
        try
        {
            // Prompts of similar length share a batch, for less padding.
            foreach (
                var part in Enumerable
                    .Range(0, ids.Length)
                    .Where(i => Fits(requests[i], ids[i].Length))
                    .OrderBy(i => ids[i].Length)
                    .Chunk(options.BatchSize)
            )
            {
                var sampling = options.Sampling.StoppingAt(model, tokenizer) with
                {
                    RowSeeds = [.. part.Select(i => ((ulong)requests[i].Round << 32) | (uint)requests[i].Index)],
                    Recording = LogProbRecording.Drawn,
                };
                using var rollouts = Sampler.Generate(
                    model,
                    [.. part.Select(i => ids[i])],
                    sampling,
                    options.Seed,
                    tokenizer,
                    cancellation
                );
                for (int row = 0; row < part.Length; row++)
                {
                    var completion = new Completion(
                        requests[part[row]].Problem,
                        tokenizer.Decode(rollouts.Completions[row]),
                        rollouts.Completions[row],
                        rollouts.Finished[row]
                    );
                    drafts[part[row]] = new Draft(prompts[part[row]], completion);
                }
            }
        }
        finally
        {
            model.train(training);
        }
        return ValueTask.FromResult<IReadOnlyList<Draft?>>(drafts);
    }

    private bool Fits(DraftRequest request, int length)
    {
        // A long row would leave its whole batch little space, so the full space for a text is required.
        if (request.Earlier is not null)
            return length > 0 && length + options.Sampling.MaxNewTokens <= model.ContextLength;
        if (length == 0 || length >= model.ContextLength)
            throw new ArgumentException(
                $"problem {request.Index} has a prompt of {length} tokens, expected 1 to {model.ContextLength - 1}, one less than "
                    + "the model's context",
                nameof(request)
            );
        return true;
    }
}
