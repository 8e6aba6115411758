using System.Diagnostics;
using System.Runtime.CompilerServices;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Refinement;
using PostTrain.RewardModeling;
using PostTrain.Rewards.Judges;
using PostTrain.Text;
using PostTrain.Training;

namespace PostTrain.Recipes;

/// <summary>Reinforcement learning from AI feedback, RLAIF: a judge compares the policy's completions, a reward model learns its soft
/// labels, the policy learns from the reward model.</summary>
/// <remarks>
/// <para>Lee et al. 2023, arXiv:2309.00267, section 2; the judge asks in both orders (<see cref="Judge.Pairs"/>), labels stay
/// probabilities, and a KL penalty keeps the policy near its start. The policy maximises the judge's verdict, which need not be the
/// quality of the answers: measure with something that the judge has not seen. Without a reward model (direct RLAIF, section 2.2.2)
/// give <see cref="Judge.Rubric"/> to <see cref="GrpoTrainer"/>.</para>
/// <para>Metrics of a judged batch: <c>feedback/pairs</c> (so far), <c>feedback/confidence</c> (mean label of the batch, ½ to 1),
/// <c>feedback/same</c> and <c>feedback/without_verdict</c> (of the batch).</para>
/// </remarks>
public sealed class Rlaif : Recipe
{
    /// <summary>Stage in which the policy's completions are judged in pairs.</summary>
    public const string Feedback = "feedback";

    /// <summary>Stage of <see cref="RewardTrainer"/> on the judge's labels.</summary>
    public const string RewardModel = "reward-model";

    /// <summary>Stage of <see cref="GrpoTrainer"/> from the reward model.</summary>
    public const string Reinforcement = "reinforcement";

    private readonly PairJudge judge;
    private readonly RlaifOptions options;

    /// <summary>Checks the arguments.</summary>
    /// <param name="policy">Model whose parameters that require a gradient are trained.</param>
    /// <param name="tokenizer">Tokenizer of policy and reward model.</param>
    /// <param name="judge">Compares completions.</param>
    /// <param name="options">Reward model and options of the stages.</param>
    /// <exception cref="ArgumentException">There is no way to keep the first policy as a reference.</exception>
    public Rlaif(CausalLm policy, ITokenizer tokenizer, PairJudge judge, RlaifOptions options)
        : base(policy, tokenizer, options)
    {
        ArgumentNullException.ThrowIfNull(judge);
        ArgumentNullException.ThrowIfNull(options.RewardModel);
        (this.judge, this.options) = (judge, options);
        CheckReference(options, options.Reference is not null);
    }

    /// <summary>Runs all three stages; each element is a step that is done.</summary>
    /// <param name="problems">Problems of the first and the last stage.</param>
    /// <param name="evaluation">Problems that the last stage is judged by, with the learnt reward; null for none.</param>
    /// <param name="cancellation">As in <see cref="AiFeedback"/> and the stages' trainers.</param>
    /// <exception cref="ArgumentException">Data or options do not fit, as the stages' trainers say.</exception>
    /// <exception cref="InvalidOperationException">The judge gave no verdict at all, or an impossible one.</exception>
    public async IAsyncEnumerable<RecipeReport> RunAsync(
        IReadOnlyList<Problem> problems,
        IReadOnlyList<Problem>? evaluation = null,
        [EnumeratorCancellation] CancellationToken cancellation = default
    )
    {
        var folder = Open();
        using var copy = options.Reference is null ? ((Decoder)Policy).Copy() : null;
        var pairs = new List<PreferencePair>();
        var watch = Stopwatch.StartNew();
        int batches = AddKept(folder, pairs);
        await foreach (
            var batch in AiFeedback
                .CollectAsync(Policy, Tokenizer, problems, judge, options.Feedback, batches, cancellation)
                .ConfigureAwait(false)
        )
        {
            folder.Write($"{Feedback}-{++batches:D5}.jsonl", batch.Pairs);
            pairs.AddRange(batch.Pairs);
            yield return new RecipeReport(Feedback, new StepReport(batches, double.NaN, Metrics(batch, pairs.Count), watch.Elapsed));
        }
        if (pairs.Count == 0)
            throw new InvalidOperationException(
                $"the judge gave no verdict on any of {problems.Count * options.Feedback.PairsPerProblem} pairs, expected at least one"
            );

        using (var trainer = new RewardTrainer(options.RewardModel, Tokenizer, folder.Options(options.RewardTraining, RewardModel)))
        {
            folder.Resume(trainer.Resume, RewardModel);
            foreach (var step in trainer.Run(pairs, cancellation: cancellation))
                yield return new RecipeReport(RewardModel, step);
        }
        await EndAsync(RewardModel, cancellation, options.RewardModel).ConfigureAwait(false);

        var reward = LearnedRewards.Outcome(options.RewardModel, Tokenizer);
        var reinforcement = options.Reinforcement with { Reference = copy ?? options.Reference!(Policy) };
        await foreach (
            var report in ReinforceAsync(folder, Reinforcement, reinforcement, reward, problems, evaluation, cancellation)
                .ConfigureAwait(false)
        )
            yield return report;
        await EndAsync(Reinforcement, cancellation).ConfigureAwait(false);
    }

    // Batches that an earlier run has judged.
    private static int AddKept(RecipeFolder folder, List<PreferencePair> pairs)
    {
        int batches = 0;
        while (folder.Read<PreferencePair>($"{Feedback}-{batches + 1:D5}.jsonl") is { } kept)
        {
            pairs.AddRange(kept);
            batches++;
        }
        return batches;
    }

    private static Dictionary<string, double> Metrics(AiFeedbackBatch batch, int pairs)
    {
        var metrics = new Dictionary<string, double>
        {
            ["feedback/pairs"] = pairs,
            ["feedback/same"] = batch.Same,
            ["feedback/without_verdict"] = batch.WithoutVerdict,
        };
        if (batch.Pairs.Count > 0)
            metrics["feedback/confidence"] = batch.Pairs.Average(pair => pair.Probability);
        return metrics;
    }
}
