using System.Runtime.CompilerServices;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Preference;
using PostTrain.Preference.Online;
using PostTrain.Rewards;
using PostTrain.Text;
using static TorchSharp.torch;

namespace PostTrain.Recipes;

/// <summary>Qwen2's pipeline: supervised fine-tuning, offline DPO, online DPO with online merging.</summary>
/// <remarks>Yang et al. 2024, arXiv:2407.10671, section 4.3. The online stage compares the policy's own completions by a reward and mixes
/// its updates with the change of the supervised stage (<see cref="OnlineMerging"/>), against the loss of abilities.</remarks>
public sealed class QwenPipeline : Recipe
{
    /// <summary>Stage of <see cref="PostTrain.Supervised.SftTrainer"/>.</summary>
    public const string Supervised = "supervised";

    /// <summary>Stage of <see cref="DpoTrainer"/> on given pairs.</summary>
    public const string Offline = "offline";

    /// <summary>Stage of <see cref="OnlineDpoTrainer"/>.</summary>
    public const string Online = "online";

    private readonly IReward reward;
    private readonly QwenPipelineOptions options;

    /// <summary>Checks the arguments.</summary>
    /// <param name="policy">Model whose parameters that require a gradient are trained; a <see cref="Decoder"/> without adapters, as the
    /// references are its copies.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="reward">Judges completions of the online stage.</param>
    /// <param name="options">Options of the stages.</param>
    /// <exception cref="ArgumentException">The policy cannot be copied.</exception>
    public QwenPipeline(CausalLm policy, ITokenizer tokenizer, IReward reward, QwenPipelineOptions options)
        : base(policy, tokenizer, options)
    {
        ArgumentNullException.ThrowIfNull(reward);
        options.Validate();
        CheckReference(options, isGiven: false);
        (this.reward, this.options) = (reward, options);
    }

    /// <summary>Runs the stages; each element is a step that is done.</summary>
    /// <param name="demonstrations">Demonstrations of the supervised stage.</param>
    /// <param name="pairs">Pairs of the offline stage.</param>
    /// <param name="problems">Problems of the online stage.</param>
    /// <param name="cancellation">As in the stages' trainers.</param>
    public async IAsyncEnumerable<RecipeReport> RunAsync(
        IReadOnlyList<Demonstration> demonstrations,
        IReadOnlyList<PreferencePair> pairs,
        IReadOnlyList<Problem> problems,
        [EnumeratorCancellation] CancellationToken cancellation = default
    )
    {
        var folder = Open();
        using var origin = ((Decoder)Policy).Copy();
        foreach (var report in Supervise(folder, Supervised, options.Supervised, demonstrations, cancellation))
            yield return report;
        await EndAsync(Supervised, cancellation).ConfigureAwait(false);

        using var merging = options.Merging > 0 ? Merging(origin) : null;
        using (var reference = ((Decoder)Policy).Copy())
        using (var trainer = new DpoTrainer(Policy, Tokenizer, ReferencePolicy.Of(reference), folder.Options(options.Offline, Offline)))
        {
            folder.Resume(trainer.Resume, Offline);
            foreach (var step in trainer.Run(pairs, cancellation: cancellation))
                yield return new RecipeReport(Offline, step);
        }
        await EndAsync(Offline, cancellation).ConfigureAwait(false);

        using var frozen = ((Decoder)Policy).Copy();
        merging?.Restart();
        var how = options.Online with { Reference = ReferencePolicy.Of(frozen) };
        if (merging is not null)
            how = how with { Terms = [.. how.Terms, merging] };
        using var online = new OnlineDpoTrainer(Policy, Tokenizer, reward, folder.Options(how, Online));
        folder.Resume(online.Resume, Online);
        await foreach (var step in online.RunAsync(problems, cancellation: cancellation).ConfigureAwait(false))
            yield return new RecipeReport(Online, step);
        await EndAsync(Online, cancellation).ConfigureAwait(false);
    }

    private OnlineMerging Merging(Decoder origin)
    {
        using var scope = NewDisposeScope();
        return new OnlineMerging(
            Policy,
            origin.named_parameters().ToDictionary(item => item.name, item => item.parameter.detach()),
            options.Merging
        );
    }
}
