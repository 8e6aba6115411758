using PostTrain.Adapters;
using PostTrain.Data.Batches;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Policy;
using PostTrain.Policy.Estimators;
using PostTrain.Policy.Losses;
using PostTrain.Preference;
using PostTrain.Preference.Batches;
using PostTrain.RewardModeling;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

/// <summary>The models of a recorded run, and the loss that our trainers give one of its batches.</summary>
internal sealed class TrainReplay : IDisposable
{
    private readonly Stack<IDisposable> owned = new();
    private readonly GoldenCase item;
    private readonly CausalLm policy;
    private readonly AdaptedModel? adapted;
    private readonly double parts;

    private TrainReplay(GoldenCase item)
    {
        this.item = item;
        parts = item.Parameter("gradient_accumulation_steps", 1);
        Directory = Path.Combine(GoldenFile.Directory, item.Text("dir")!);
        policy = Own(Base());
        Trained = item.Text("trainer") == "RewardTrainer" ? Own(Classifier()) : policy;
        adapted = item.Flag("lora") ? Own(AdaptedModel.Load(Trained, Path.Combine(Directory, "initial"))) : null;
        Loss = item.Text("trainer") switch
        {
            "SFTTrainer" => Sft,
            "DPOTrainer" => Dpo(),
            "KTOTrainer" => Kto(),
            "ORPOTrainer" => Orpo(),
            "CPOTrainer" => Cpo(),
            "GRPOTrainer" => Grpo,
            "RLOOTrainer" => Rloo,
            "RewardTrainer" => Reward,
            var other => throw new NotSupportedException($"trainer is {other}, which no test knows"),
        };
    }

    /// <summary>The case's directory.</summary>
    internal string Directory { get; }

    /// <summary>What is trained.</summary>
    internal nn.Module Trained { get; }

    /// <summary>The loss of a batch before it is divided by the number of batches of an update.</summary>
    internal Func<GoldenFields, MetricMeans, Tensor> Loss { get; }

    /// <summary>What is trained, by the names of its files.</summary>
    internal IReadOnlyDictionary<string, Tensor> Weights =>
        adapted is not null
            ? adapted.Stored("default").ToDictionary(stored => stored.Name, stored => stored.Transposed ? stored.Tensor.t() : stored.Tensor)
            : Trained.named_parameters().ToDictionary(pair => pair.name, pair => (Tensor)pair.parameter);

    internal static TrainReplay Of(GoldenCase item) => new(item);

    public void Dispose()
    {
        while (owned.TryPop(out var next))
            next.Dispose();
    }

    private T Own<T>(T value)
        where T : IDisposable
    {
        owned.Push(value);
        return value;
    }

    private CausalLm Base() => Pretrained.Load(Path.Combine(GoldenFile.Directory, item.Text("base")!));

    // An adapted policy without its adapter, else the base once more.
    private ReferencePolicy Reference() => adapted is null ? ReferencePolicy.Of(Own(Base())) : adapted.Reference(policy);

    private Tensor Sft(GoldenFields batch, MetricMeans means)
    {
        var (ids, labels, attention) = (Read(batch, "input_ids"), Read(batch, "labels"), Read(batch, "attention_mask"));
        long columns = ids.shape[1] - 1;
        var targets = labels.narrow(1, 1, columns);
        var rows = new SequenceBatch(
            ids.narrow(1, 0, columns),
            attention.narrow(1, 0, columns),
            targets.clamp_min(0),
            targets.ne(-100).to_type(ScalarType.Float32)
        );
        var weighting = item.Text("loss_type") switch
        {
            "dft" => TokenWeighting.Probability,
            "nll" or "chunked_nll" or null => TokenWeighting.None,
            var other => throw new NotSupportedException($"loss_type is {other}, expected nll, chunked_nll or dft"),
        };
        var options = new SftOptions { Weighting = weighting };
        double denominator = batch.Find("trainer_num_items") is { } items
            ? items.GetDouble()
            : options.Aggregation.Denominator(rows.LossMask);
        return SftTrainer.Loss(policy, rows with { Denominator = denominator }, 0, (int)ids.shape[0], means, options);
    }

    private Func<GoldenFields, MetricMeans, Tensor> Dpo()
    {
        var objective = DpoGolden.Options(item);
        var options = new DpoOptions
        {
            Beta = objective.Beta,
            Loss = objective.Loss,
            Divergence = objective.Divergence,
            PositivePenalty = objective.PositivePenalty,
            ReferenceFree = objective.ReferenceFree,
            TailWeight = item.Parameter("ld_alpha", 1),
            PolicyWeights = item.Flag("use_weighting"),
        };
        return Pairs(Own(new DpoTrainer(policy, Toy.Tokenizer, Reference(), options)), Concatenated);
    }

    private Func<GoldenFields, MetricMeans, Tensor> Orpo()
    {
        var options = new OrpoOptions { Lambda = item.Parameter("beta", 0.1), Likelihood = OrpoLikelihood.PromptAndCompletion };
        return Pairs(Own(new OrpoTrainer(policy, Toy.Tokenizer, options)), Labelled);
    }

    // Where the run was not told, the reference's own defaults hold.
    private Func<GoldenFields, MetricMeans, Tensor> Cpo()
    {
        var given = PreferenceGolden.Options(item, normalize: true);
        var options = new CpoOptions
        {
            Objective = given with
            {
                Beta = item.Parameter("beta", 0.1),
                LikelihoodWeight = item.Parameter("cpo_alpha", 1),
                TargetMargin = item.Text("loss_type") == "simpo" ? item.Parameter("simpo_gamma", 0.5) : 0,
            },
        };
        return Pairs(Own(new CpoTrainer(policy, Toy.Tokenizer, options)), Labelled);
    }

    // The chosen rows, then the rejected ones, with labels of −100 outside of the completions.
    private static TokenExample[] Labelled(GoldenFields batch)
    {
        return [.. Side("chosen"), .. Side("rejected")];

        TokenExample[] Side(string side)
        {
            var examples = Examples(
                Read(batch, $"{side}_input_ids"),
                Read(batch, $"{side}_attention_mask"),
                Read(batch, $"{side}_labels").ne(-100)
            );
            // Prompts alone are padded on the left.
            var (prompts, attention) = (Read(batch, "prompt_input_ids"), Read(batch, "prompt_attention_mask"));
            var own = prompts
                .data<long>()
                .Zip(attention.data<long>())
                .Chunk((int)prompts.shape[1])
                .Select(row => row.Where(id => id.Second != 0).Select(id => (int)id.First).ToArray());
            Assert.Equal(own, examples.Select(example => example.Ids[..example.PromptLength]));
            return examples;
        }
    }

    // The first half of the rows are chosen, the others rejected.
    private static Func<GoldenFields, MetricMeans, Tensor> Pairs(PairTrainer trainer, Func<GoldenFields, TokenExample[]> rows) =>
        (batch, means) =>
        {
            var examples = rows(batch);
            int count = examples.Length / 2;
            var pairs = examples.Take(count).Zip(examples.Skip(count), (chosen, rejected) => (chosen, rejected));
            return trainer.LossOf(PairBatch.Of([.. pairs], Toy.Tokenizer.PaddingId), 0, count, means);
        };

    private Func<GoldenFields, MetricMeans, Tensor> Kto()
    {
        if (item.Text("loss_type") is { } loss and not "kto")
            throw new NotSupportedException($"loss_type is {loss}, expected kto");
        var options = new KtoOptions
        {
            Beta = item.Parameter("beta", 0.1),
            DesirableWeight = item.Parameter("desirable_weight", 1),
            UndesirableWeight = item.Parameter("undesirable_weight", 1),
        };
        var trainer = Own(new KtoTrainer(policy, Toy.Tokenizer, Reference(), options));
        return (batch, means) =>
        {
            var labels = Read(batch, "label").to_type(ScalarType.Int64).data<long>().ToArray();
            var others = Examples(Read(batch, "KL_input_ids"), Read(batch, "KL_attention_mask"), Read(batch, "KL_completion_mask"));
            var rows = new KtoBatch(
                SequenceBatch.Of(Concatenated(batch), Toy.Tokenizer.PaddingId),
                SequenceBatch.Of(others, Toy.Tokenizer.PaddingId),
                tensor(labels.Select(label => label != 0).ToArray())
            );
            return trainer.LossOf(rows, 0, rows.Rows, means);
        };
    }

    // The head starts as the run's did, and so does all else.
    private SequenceClassifier Classifier()
    {
        var classifier = SequenceClassifier.For(Base());
        using var mode = no_grad();
        using var file = SafetensorsFile.Open(Path.Combine(Directory, "initial.safetensors"));
        foreach (var (name, parameter) in classifier.named_parameters())
            parameter.copy_(file.Read(name));
        return classifier;
    }

    private Tensor Reward(GoldenFields batch, MetricMeans means)
    {
        var (ids, attention) = (Read(batch, "input_ids"), Read(batch, "attention_mask"));
        int[][] rows = [.. Examples(ids, attention, attention).Select(example => example.Ids)];
        int count = rows.Length / 2;
        double[] margins = batch.Find("margin") is { } margin ? Numbers.Values(GoldenCase.Read(margin)) : new double[count];
        var pairs = Enumerable.Range(0, count).Select(i => new RewardPair(rows[i], rows[count + i], margins[i])).ToArray();
        var trainer = Own(
            new RewardTrainer(
                (SequenceClassifier)Trained,
                Toy.Tokenizer,
                new RewardOptions { CenteringCoefficient = item.Parameter("center_rewards_coefficient", 0) }
            )
        );
        return trainer.LossOf(RewardBatch.Of(pairs, Toy.Tokenizer.PaddingId), 0, count, means);
    }

    // The batches hold what was sampled, in the order of its updates.
    private void Sampled() => item.Unneeded("num_generations", "num_iterations", "max_completion_length");

    private Tensor Grpo(GoldenFields batch, MetricMeans means)
    {
        Sampled();
        var (logProbs, mask) = Completions(batch);
        var old = batch.Find("old_per_token_logps") is { } given ? GoldenCase.Read(given) : logProbs.detach();
        var rows = new PolicyBatch(logProbs, old, Read(batch, "advantages"), mask)
        {
            ReferenceLogProbs = batch.Find("ref_per_token_logps") is { } anchor ? GoldenCase.Read(anchor) : null,
        };
        var (loss, result) = GrpoGolden.Evaluate(item, rows, parts, batch.Find("num_items_in_batch") is { } items ? items.GetDouble() : 0);
        means.Add("kl", result.Kl, 1);
        return loss;
    }

    private Tensor Rloo(GoldenFields batch, MetricMeans means)
    {
        Sampled();
        // The KL term is in the rewards, and so in the advantages.
        item.Unneeded("beta");
        var (logProbs, mask) = Completions(batch);
        // The run gives the sums only: all of an old sum at the first token makes the same ratio.
        var old = TokenRewards.AtLastToken(Read(batch, "old_logps"), mask);
        var objective = PolicyObjectives.Rloo(new ClipRange(item.Parameter("epsilon_low", 0), item.Parameter("epsilon_high", 0)));
        return objective.Loss(new PolicyBatch(logProbs, old, Read(batch, "advantages"), mask)).Loss;
    }

    private (Tensor LogProbs, Tensor Mask) Completions(GoldenFields batch)
    {
        var mask = Read(batch, "completion_mask");
        var ids = cat([Read(batch, "prompt_ids"), Read(batch, "completion_ids")], 1);
        var attention = cat([Read(batch, "prompt_mask"), mask], 1);
        var counted = mask.to_type(ScalarType.Float32);
        var scores = CompletionScores.Of(
            policy,
            new RolloutRows(ids, attention, counted, counted),
            new SamplingOptions { Temperature = item.Parameter("temperature", 1) }
        );
        return (scores.LogProbs, counted);
    }

    private static TokenExample[] Concatenated(GoldenFields batch) =>
        Examples(Read(batch, "input_ids"), Read(batch, "attention_mask"), Read(batch, "completion_mask"));

    // Rows that are padded on the right, and where each one's completion begins.
    private static TokenExample[] Examples(Tensor ids, Tensor attention, Tensor completion)
    {
        var lengths = attention.sum(1L).data<long>().ToArray();
        var prompts = completion.to_type(ScalarType.Int64).argmax(1).data<long>().ToArray();
        var rows = ids.data<long>().ToArray().Chunk((int)ids.shape[1]);
        return [.. rows.Select((row, i) => new TokenExample([.. row.Take((int)lengths[i]).Select(id => (int)id)], (int)prompts[i]))];
    }

    private static Tensor Read(GoldenFields batch, string name) => GoldenCase.Read(batch.Value(name));
}
