using PostTrain.Adapters;
using PostTrain.Adapters.Prompts;
using PostTrain.Data;
using PostTrain.Distillation;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Policy;
using PostTrain.Preference;
using PostTrain.RewardModeling;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training;

/// <summary>Every objective on every parameterisation: each lowers its own loss, or raises its reward, and what is frozen keeps its bytes.</summary>
[Collection("Sequential")]
public sealed class ObjectiveMatrixTests
{
    private static readonly Demonstration[] Shown = [new("0=", "ab"), new("1+1=", "ba"), new("2=", "ab"), new("7=", "b")];
    private static readonly PreferencePair[] Pairs = [new("0=", "ab", "bb"), new("1+1=", "a", "bcd"), new("2=", "aab", "ba"), new("7=", "a", "c")];
    private static readonly JudgedCompletion[] Judged = [new("0=", "ab", true), new("1+1=", "bcd", false), new("2=", "aab", true), new("7=", "c", false)];
    private static readonly StepwiseExample[] Stepwise = [new("0=", ["a", "b"], [1, 0]), new("2=", ["b", "a"], [0, 1])];
    private static readonly IReward ManyAs = Reward.Of("many_as", completion => completion.Text.Count(letter => letter == 'a'));

    private static readonly string[] FixedData = ["sft", "dpo", "ipo", "cpo", "orpo", "kto", "distillation"];
    private static readonly string[] Sampling = ["grpo", "rloo", "ppo", "online dpo", "on-policy distillation"];
    private static readonly string[] Parameters = ["full", "lora", "ia3", "norms", "prompt", "prefix"];

    public static TheoryData<string, string> FixedCells => Cells(FixedData, Parameters);

    public static TheoryData<string, string> SamplingCells => Cells(Sampling, Parameters);

    // A reward model scores the hidden states of a body, which a wrapper with virtual positions does not change its place for.
    public static TheoryData<string, string> RewardCells => Cells(["outcome", "process"], ["full", "lora", "ia3"]);

    [Theory]
    [MemberData(nameof(FixedCells))]
    public void FixedData_LowersItsLoss(string objective, string parameters)
    {
        using var cell = Cell.Of(parameters);
        using var other = Toy.Model();
        using var teacher = Toy.Model(seed: 5);
        switch (objective)
        {
            case "sft": Lowers(new SftTrainer(cell.Model, Toy.Tokenizer, new SftOptions { Steps = 25, BatchSize = 4, LearningRate = 2e-2 }), Shown, cell); break;
            case "dpo": Lowers(new DpoTrainer(cell.Model, Toy.Tokenizer, new DpoTrainerOptions { Steps = 25, BatchSize = 4, LearningRate = 2e-2 }, other), Pairs, cell); break;
            case "ipo":
                Lowers(new DpoTrainer(cell.Model, Toy.Tokenizer, new DpoTrainerOptions { Steps = 25, BatchSize = 4, LearningRate = 1e-2, Objective = new DpoOptions { Loss = DpoLoss.Ipo() } }, other), Pairs, cell);
                break;
            case "cpo": Lowers(new CpoTrainer(cell.Model, Toy.Tokenizer, new CpoTrainerOptions { Steps = 25, BatchSize = 4, LearningRate = 2e-2 }), Pairs, cell); break;
            case "orpo": Lowers(new OrpoTrainer(cell.Model, Toy.Tokenizer, new OrpoTrainerOptions { Steps = 25, BatchSize = 4, LearningRate = 2e-2 }), Pairs, cell); break;
            case "kto": Lowers(new KtoTrainer(cell.Model, Toy.Tokenizer, new KtoTrainerOptions { Steps = 25, BatchSize = 4, LearningRate = 2e-2 }, ReferencePolicy.Of(other)), Judged, cell); break;
            default:
                Lowers(new DistillationTrainer(cell.Model, ReferencePolicy.Of(teacher), Toy.Tokenizer, new DistillationTrainerOptions { Steps = 25, BatchSize = 4, LearningRate = 2e-2 }), Shown, cell);
                break;
        }
    }

    [Theory]
    [MemberData(nameof(RewardCells))]
    public void RewardModels_LowerTheirLoss(string objective, string parameters)
    {
        using var cell = Cell.Of(parameters, classifier: true);
        var model = cell.Classifier!;
        if (objective == "outcome")
            Lowers(new RewardTrainer(model, Toy.Tokenizer, new RewardTrainerOptions { Steps = 25, BatchSize = 4, LearningRate = 1e-2 }), Pairs, cell);
        else
            Lowers(new ProcessRewardTrainer(model, Toy.Tokenizer, new ProcessRewardTrainerOptions { Steps = 25, BatchSize = 2, LearningRate = 1e-2, Encoding = new StepEncodingOptions { Separator = "=" } }), Stepwise, cell);
    }

    [Theory]
    [MemberData(nameof(SamplingCells))]
    public async Task Sampling_RaisesItsReward(string objective, string parameters)
    {
        using var cell = Cell.Of(parameters);
        using var other = Toy.Model();
        // A teacher that writes nothing but a's: distilling it raises the same reward.
        using var teacher = Toy.Model();
        using (var sft = new SftTrainer(teacher, Toy.Tokenizer, new SftOptions { Steps = 60, BatchSize = 2, LearningRate = 2e-2 }))
            _ = sft.Run([new Demonstration("0=", "aaaa"), new Demonstration("2=", "aaaa")]).Last();
        using var critic = ValueHead.WithOwnBody(Toy.Model(seed: 3));
        var sampling = new SamplingOptions { MaxNewTokens = 4 };
        using RolloutTrainer trainer = objective switch
        {
            "grpo" => new GrpoTrainer(cell.Model, Toy.Tokenizer, ManyAs, new GrpoOptions { Steps = 30, BatchSize = 2, GroupSize = 8, LearningRate = 2e-2, Sampling = sampling }),
            "rloo" => new GrpoTrainer(cell.Model, Toy.Tokenizer, ManyAs, new GrpoOptions { Steps = 30, BatchSize = 2, GroupSize = 8, LearningRate = 2e-2, Sampling = sampling, Objective = PolicyObjectives.Rloo() }),
            "ppo" => new PpoTrainer(cell.Model, critic, Toy.Tokenizer, ManyAs, new PpoOptions { Steps = 30, BatchSize = 16, LearningRate = 2e-2, Sampling = sampling, Kl = KlControl.Fixed(0) }),
            "online dpo" => new OnlineDpoTrainer(cell.Model, Toy.Tokenizer, ManyAs, new OnlineDpoOptions { Steps = 30, BatchSize = 8, LearningRate = 2e-2, Sampling = sampling }, ReferencePolicy.Of(other)),
            _ => new OnPolicyDistillationTrainer(cell.Model, ReferencePolicy.Of(teacher), Toy.Tokenizer, new OnPolicyDistillationOptions { Steps = 30, BatchSize = 16, GroupSize = 1, LearningRate = 2e-2, Sampling = sampling }, ManyAs),
        };
        var rewards = new List<double>();
        await foreach (var report in trainer.RunAsync([new Problem("0="), new Problem("2=")])) rewards.Add(report.Metrics["reward/mean"]);
        var (before, after) = (rewards.Take(5).Average(), rewards.TakeLast(5).Average());
        Assert.True(after > before, $"the reward went from {before} to {after}");
        cell.KeepsTheBase();
    }

    private static TheoryData<string, string> Cells(string[] objectives, string[] parameters)
    {
        var cells = new TheoryData<string, string>();
        foreach (var objective in objectives)
            foreach (var parameter in parameters) cells.Add(objective, parameter);
        return cells;
    }

    private static void Lowers<T>(DatasetTrainer<T> trainer, T[] data, Cell cell)
    {
        using (trainer)
        {
            double before = trainer.Evaluate(data)["eval/loss"];
            _ = trainer.Run(data).Last();
            double after = trainer.Evaluate(data)["eval/loss"];
            Assert.True(after < before, $"the loss went from {before} to {after}");
        }
        cell.KeepsTheBase();
    }

    /// <summary>A toy model with some of its parameters trained.</summary>
    private sealed class Cell : IDisposable
    {
        private readonly Decoder body;
        private readonly List<IDisposable> parts;
        private readonly Dictionary<string, byte[]> frozen;

        private Cell(Decoder body, CausalLm model, SequenceClassifier? classifier, List<IDisposable> parts)
        {
            (this.body, Model, Classifier, this.parts) = (body, model, classifier, parts);
            frozen = Frozen().ToDictionary(item => item.Name, item => item.Bytes);
        }

        internal CausalLm Model { get; }

        internal SequenceClassifier? Classifier { get; }

        internal static Cell Of(string parameters, bool classifier = false)
        {
            var body = Toy.Model();
            var head = classifier ? SequenceClassifier.For(body) : null;
            AdapterOptions? adapter = parameters switch
            {
                "lora" => new LoraOptions { Rank = 4, Alpha = 16, Targets = ModuleSelection.AllLinear },
                "ia3" => new Ia3Options { Targets = ModuleSelection.Named("k_proj", "v_proj", "down_proj"), FeedForward = ModuleSelection.Named("down_proj") },
                "norms" => new NormTuningOptions(),
                _ => null,
            };
            List<IDisposable> parts = [];
            if (adapter is not null) parts.Add(AdaptedModel.Attach(body, adapter));
            CausalLm model = parameters switch
            {
                "prompt" => new SoftPromptLm(body, PromptTable.Random(3, body.HiddenSize, seed: 7)),
                "prefix" => new PrefixLm(body, PromptTable.Random(3, PrefixLm.WidthFor(body), seed: 7)),
                _ => body,
            };
            if (!ReferenceEquals(model, body)) parts.Insert(0, model);
            if (head is not null) parts.Add(head);
            return new Cell(body, model, head, parts);
        }

        /// <summary>What required no gradient has the bytes it had.</summary>
        internal void KeepsTheBase()
        {
            var now = Frozen().ToDictionary(item => item.Name, item => item.Bytes);
            Assert.Equal(frozen.Keys.Order(StringComparer.Ordinal), now.Keys.Order(StringComparer.Ordinal));
            foreach (var (name, bytes) in frozen) Assert.True(bytes.AsSpan().SequenceEqual(now[name]), $"{name} has changed");
        }

        public void Dispose()
        {
            foreach (var part in parts) part.Dispose();
            body.Dispose();
        }

        private IEnumerable<(string Name, byte[] Bytes)> Frozen()
        {
            foreach (var (name, parameter) in body.named_parameters())
                if (!parameter.requires_grad) yield return (name, parameter.detach().contiguous().bytes.ToArray());
        }
    }
}
