using PostTrain.Adapters;
using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Laws;
using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Rewards;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Text;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Extending;

/// <summary>A trainer, an adapter and a reward of a user's own, as docs/extending.md shows them; written with public members only, which
/// the compilation of the page in an assembly of its own proves.</summary>
// The console belongs to the process.
[Collection("Sequential")]
public sealed class OwnTrainerTests : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    private static readonly JudgedCompletion[] Judged =
    [
        new("0=", "ab", true),
        new("1+1=", "bcd", false),
        new("2=", "a", true),
        new("7=", "dc", false),
    ];

    public void Dispose() => directory.Dispose();

    [Fact]
    public void Trainer_Trains_InAnyParts()
    {
        using var output = new ExtendingPageTests.Captured();
        using var model = Toy.Model();
        var (tokenizer, judged) = (Toy.Tokenizer, Judged);
        using var trainer = new UnlikelihoodTrainer(
            model,
            tokenizer,
            new SftOptions
            {
                Steps = 3,
                BatchSize = 2,
                MicroBatchSize = 1,
            }
        );
        foreach (var report in trainer.Run(judged))
            Console.WriteLine($"{report.Step}  loss {report.Loss:F3}  nll {report.Metrics["nll"]:F3}");
        Assert.Matches(@"^1  loss \d\.\d{3}  nll \d\.\d{3}\n2  ", output.Text);

        double[] Losses(int? micro, SftOptions options)
        {
            using var fresh = Toy.Model(type: ScalarType.Float64);
            using var again = new UnlikelihoodTrainer(fresh, Toy.Tokenizer, options with { MicroBatchSize = micro, BatchSize = 3 });
            return [.. again.Run(Judged).Select(report => report.Loss), again.Evaluate(Judged)["eval/loss"]];
        }

        var longer = new SftOptions { Steps = 5, LearningRate = 1e-2 };
        var whole = Losses(null, longer);
        Assert.True(whole[^1] < whole[0]);
        foreach (int size in new[] { 1, 2 })
            Assert.All(whole.Zip(Losses(size, longer)), pair => Assert.Equal(pair.First, pair.Second, 1e-12));
    }

    [Fact]
    public void Trainer_OfTheFormulaOfSft_IsSft()
    {
        using var own = Toy.Model();
        using var ours = Toy.Model();
        var options = new SftOptions
        {
            Steps = 3,
            BatchSize = 2,
            LearningRate = 1e-2,
        };
        JudgedCompletion[] liked = [.. Judged.Select(item => item with { Desirable = true })];
        using var trainer = new UnlikelihoodTrainer(own, Toy.Tokenizer, options);
        using var sft = new SftTrainer(ours, Toy.Tokenizer, options);
        var (first, second) = (
            trainer.Run(liked).Select(report => report.Loss).ToArray(),
            sft.Run([.. liked.Select(item => new Demonstration(item.Prompt, item.Completion))]).Select(report => report.Loss).ToArray()
        );
        Assert.All(first.Zip(second), pair => Assert.Equal(pair.First, pair.Second, 1e-5));
    }

    [Fact]
    public void Loss_KeepsTheLaws()
    {
        using var scope = NewDisposeScope();
        var example = new LossBatch(
            new Dictionary<string, LossTensor>
            {
                ["logProbs"] = new(Numbers.Uniform(1, 1, 4, 5).abs().neg() - 0.1, Differentiable: true),
                ["desirable"] = new(tensor(new double[] { 1, 0, 1, 0 }), LossAxes.Row),
            },
            Numbers.Mask(5, 5, 2, 1, 3)
        );
        using var output = new ExtendingPageTests.Captured();
        var unlikely = new LossSubject(
            batch =>
                LossAggregation.TokenMean.Apply(
                    UnlikelihoodTrainer.Losses(batch["logProbs"], batch["desirable"], batch.Mask),
                    batch.Mask,
                    batch.Denominator
                ),
            example,
            LossAggregation.TokenMean.Denominator
        );
        foreach (var law in LossLaws.All(unlikely))
            Console.WriteLine(law);
        Assert.All(LossLaws.All(unlikely), law => Assert.True(law.Holds, law.ToString()));
    }

    [Fact]
    public void State_GoesIntoCheckpoints()
    {
        var whole = Train(6, null);
        Train(3, null);
        Assert.Equal(whole, Train(6, Checkpoint.Latest(directory.File("3"))));
        // Without what the trainer remembers, the rest of the run is another one.
        Assert.NotEqual(whole, Train(6, Checkpoint.Latest(directory.File("3")), forget: true));

        byte[] Train(int steps, string? resume, bool forget = false)
        {
            using var model = Toy.Model();
            var options = new SftOptions
            {
                Steps = steps,
                BatchSize = 2,
                LearningRate = 1e-2,
                CheckpointDirectory = resume is null ? directory.File($"{steps}") : null,
            };
            using var trainer = new FadingTrainer(model, options, forget);
            if (resume is not null)
                trainer.Resume(resume);
            Assert.Equal(resume is null ? steps : steps - 3, trainer.Run([.. Judged]).Count());
            return Toy.Bytes(model);
        }
    }

    [Fact]
    public void Adapter_TrainsAndComesBackFromItsFile()
    {
        using var output = new ExtendingPageTests.Captured();
        using var model = Toy.Model();
        Demonstration[] demonstrations = [new("0=", "ab"), new("1+1=", "bcd")];
        var (tokenizer, folder) = (Toy.Tokenizer, directory.File("adapter"));
        var start = Logits(model);
        var rows = AdapterOptions.Of(
            "ROW_SCALE",
            (layer, seed) => [("scale", zeros(layer.Outputs))],
            (layer, own) => own[0].unsqueeze(1) * layer.Weight
        );
        using (var adapted = AdaptedModel.Attach(model, rows with { Targets = ModuleSelection.AllLinear }))
        {
            using var sft = new SftTrainer(
                model,
                tokenizer,
                new SftOptions
                {
                    Steps = 3,
                    BatchSize = 2,
                    LearningRate = 1e-2,
                }
            );
            Console.WriteLine($"{adapted.TrainableCount} numbers, loss {sft.Run(demonstrations).Last().Loss:F3}");
            adapted.Save(folder);
        }
        using var again = AdaptedModel.Load(model, folder, own: rows);
        Assert.Matches(@"^\d+ numbers, loss \d", output.Text);
        // It has learnt, and stands beside the base.
        var trained = Logits(model);
        Assert.True(start.Zip(trained, (one, two) => Math.Abs(one - two)).Max() > 1e-3);
        Assert.Equal(start, again.Reference(model).Ask(Logits));
        again.Save(directory.File("copy"));
        foreach (string name in (string[])["adapter_config.json", "adapter_model.safetensors"])
            Assert.Equal(File.ReadAllBytes(Path.Combine(folder, name)), File.ReadAllBytes(directory.File($"copy/{name}")));
        // Merging gives the same function.
        again.Merge();
        Assert.All(trained.Zip(Logits(model)), pair => Assert.Equal(pair.First, pair.Second, 1e-5));
        again.Unmerge();
        using var other = Toy.Model();
        Assert.Contains(
            "'ROW_SCALE'",
            Assert.Throws<InvalidDataException>(() => AdaptedModel.Load(other, folder)).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentException>(() => AdapterOptions.Of("LORA", (_, _) => [], (layer, _) => layer.Weight));
        var wide = AdapterOptions.Of("WIDE", (_, _) => [("x", zeros(1))], (layer, own) => own[0] * layer.Weight.unsqueeze(0));
        using var third = Toy.Model();
        using var broken = AdaptedModel.Attach(third, wide with { Targets = ModuleSelection.AllLinear });
        Assert.Contains(
            "the adapter 'WIDE' returned",
            Assert.Throws<InvalidOperationException>(() => Logits(third)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Term_HoldsTheModelNearItsStart()
    {
        using var scope = NewDisposeScope();
        using var output = new ExtendingPageTests.Captured();
        using var model = Toy.Model();
        Demonstration[] demonstrations = [new("0=", "ab"), new("1+1=", "bcd")];
        var tokenizer = Toy.Tokenizer;
        var start = model.parameters().Select(parameter => parameter.detach().clone()).ToArray();
        var near = UpdateTerm.Of(
            "near",
            () => 0.01 * model.parameters().Zip(start, (now, before) => (now - before).square().sum()).Aggregate((sum, next) => sum + next)
        );
        using var held = new SftTrainer(
            model,
            tokenizer,
            new SftOptions
            {
                Steps = 3,
                BatchSize = 2,
                Terms = [near],
            }
        );
        Console.WriteLine($"penalty {held.Run(demonstrations).Last().Metrics["penalty/near"]:E1}");
        Assert.Matches(@"^penalty \d\.\dE-\d", output.Text);
    }

    [Fact]
    public async Task Reward_IsAFunction()
    {
        using var output = new ExtendingPageTests.Captured();
        Completion[] completions = [new(new Problem("1+1=", "2"), "2", [0], true)];
        var brevity = Reward.Of("brevity", completion => -completion.Text.Length / 100.0);
        var total = Reward.Weighted((1, Reward.MathAnswer()), (0.1, brevity));
        Console.WriteLine($"{brevity.Name}: {(await Scoring.ScoreCheckedAsync(total, completions, new RewardContext(0, 1))).Values[0]:F3}");
        Assert.Equal("brevity: 0.999\n", output.Text);
    }

    private static double[] Logits(CausalLm model)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        return Numbers.Values(model.call(tensor(new long[] { 1, 2, 3 }).unsqueeze(0)));
    }

    /// <summary>A coefficient that fades from step to step and is kept in checkpoints.</summary>
    private sealed class FadingTrainer : DatasetTrainer<JudgedCompletion, SequenceBatch>
    {
        private readonly CausalLm model;
        private readonly Fading fading;

        internal FadingTrainer(CausalLm model, SftOptions options, bool forgets)
            : base(model, options)
        {
            this.model = model;
            fading = new Fading(forgets);
        }

        protected override ITrainerState State => fading;

        protected override void BeforeStep(long done) => fading.Coefficient = Math.Pow(0.7, done) + fading.Coefficient / 2;

        protected override Func<IReadOnlyList<int>, SequenceBatch> Prepare(IReadOnlyList<JudgedCompletion> data, string name)
        {
            var examples = data.Select(item => TokenExample.Of(item.Prompt, item.Completion, Toy.Tokenizer)).ToArray();
            return indices => SequenceBatch.Of([.. indices.Select(i => examples[i])], Toy.Tokenizer.PaddingId);
        }

        protected override Tensor Loss(SequenceBatch batch, int start, int count, MetricMeans metrics) =>
            SequenceScores.Of(model, batch.Part(start, count)).Sums().square().sum() * (fading.Coefficient / batch.Denominator);
    }

    private sealed class Fading(bool forgets) : ITrainerState
    {
        internal double Coefficient { get; set; } = 1;

        public IReadOnlyDictionary<string, double> Values => new Dictionary<string, double> { ["coefficient"] = Coefficient };

        public IReadOnlyList<(string Name, Tensor Tensor)> Tensors => [];

        public void Restore(IReadOnlyDictionary<string, double> values, IReadOnlyDictionary<string, Tensor> tensors)
        {
            if (!values.TryGetValue("coefficient", out double kept))
                throw new InvalidDataException("the coefficient is missing");
            if (!forgets)
                Coefficient = kept;
        }
    }
}

sealed class UnlikelihoodTrainer(CausalLm model, ITokenizer tokenizer, SftOptions options)
    : DatasetTrainer<JudgedCompletion, JudgedBatch>(model, options)
{
    public static Tensor Losses(Tensor logProbs, Tensor desirable, Tensor mask)
    {
        var counted = logProbs.masked_fill(mask == 0, -1);
        return where(desirable.unsqueeze(1) != 0, -counted, -(1 - counted.exp()).clamp_min(1e-6).log());
    }

    protected override Func<IReadOnlyList<int>, JudgedBatch> Prepare(IReadOnlyList<JudgedCompletion> data, string name)
    {
        var examples = data.Select(
                (item, i) => TokenExample.Of(item.Prompt, item.Completion, tokenizer).Fitting(model.ContextLength, $"{name}[{i}]")
            )
            .ToArray();
        return indices => new JudgedBatch(
            SequenceBatch.Of([.. indices.Select(i => examples[i])], tokenizer.PaddingId),
            tensor(indices.Select(i => data[i].Desirable).ToArray())
        );
    }

    protected override Tensor Loss(JudgedBatch batch, int start, int count, MetricMeans metrics)
    {
        var scores = SequenceScores.Of(model, batch.Sequences.Part(start, count));
        metrics.Add("nll", Masked.Mean(-scores.LogProbs.detach(), scores.Mask), scores.Mask.sum().ToDouble());
        return LossAggregation.TokenMean.Apply(
            Losses(scores.LogProbs, batch.Desirable.narrow(0, start, count), scores.Mask),
            scores.Mask,
            batch.Denominator
        );
    }
}

sealed record JudgedBatch(SequenceBatch Sequences, Tensor Desirable) : ITrainingBatch
{
    public int Rows => Sequences.Rows;
    public double Tokens => Sequences.Tokens;
    public double Denominator { get; } = LossAggregation.TokenMean.Denominator(Sequences.LossMask);
}
