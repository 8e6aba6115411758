using PostTrain.Data;
using PostTrain.Distillation;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Policy;
using PostTrain.Preference;
using PostTrain.Preference.Online;
using PostTrain.RewardModeling;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Training;

namespace PostTrain.Tests.Training;

/// <summary>Every objective on every parameterisation and every architecture: each lowers its own loss, or raises its reward, and what is
/// frozen keeps its bytes.</summary>
[Collection("Sequential")]
public sealed class ObjectiveMatrixTests
{
    private static readonly Demonstration[] Shown = [new("0=", "ab"), new("1+1=", "ba"), new("2=", "ab"), new("7=", "b")];
    private static readonly PreferencePair[] Pairs =
    [
        new("0=", "ab", "bb"),
        new("1+1=", "a", "bcd"),
        new("2=", "aab", "ba"),
        new("7=", "a", "c"),
    ];
    private static readonly JudgedCompletion[] Judged =
    [
        new("0=", "ab", true),
        new("1+1=", "bcd", false),
        new("2=", "aab", true),
        new("7=", "c", false),
    ];
    private static readonly StepwiseExample[] Stepwise = [new("0=", ["a", "b"], [1, 0]), new("2=", ["b", "a"], [0, 1])];
    private static readonly IReward ManyAs = Reward.Of("many_as", completion => completion.Text.Count(letter => letter == 'a'));

    private static readonly string[] FixedData = ["sft", "dpo", "ipo", "cpo", "simpo", "orpo", "kto", "distillation"];
    private static readonly string[] Sampling = ["grpo", "rloo", "ppo", "online dpo", "on-policy distillation"];
    private static readonly string[] Parameters = ["full", "lora", "ia3", "norms", "prompt", "prefix", "qlora", "adalora"];

    public static TheoryData<string, string, string> FixedCells => Cells(FixedData, Parameters);

    public static TheoryData<string, string, string> SamplingCells => Cells(Sampling, Parameters);

    // A reward model scores the hidden states of a body, which a wrapper with virtual positions does not change its place for.
    public static TheoryData<string, string, string> RewardCells =>
        Cells(["outcome", "process"], ["full", "lora", "ia3", "qlora", "adalora"]);

    [Theory]
    [MemberData(nameof(FixedCells))]
    public void FixedData_LowersItsLoss(string objective, string architecture, string parameters)
    {
        using var cell = MatrixCell.Of(architecture, parameters);
        var other = cell.Frozen(seed: 1);
        var teacher = cell.Frozen(seed: 5);
        switch (objective)
        {
            case "sft":
                Lowers(
                    new SftTrainer(
                        cell.Model,
                        Toy.Tokenizer,
                        new SftOptions
                        {
                            Steps = 25,
                            BatchSize = 4,
                            LearningRate = 2e-2,
                        }
                    ),
                    Shown,
                    cell
                );
                break;
            case "dpo":
                Lowers(
                    new DpoTrainer(
                        cell.Model,
                        Toy.Tokenizer,
                        other,
                        new DpoOptions
                        {
                            Steps = 25,
                            BatchSize = 4,
                            LearningRate = 2e-2,
                        }
                    ),
                    Pairs,
                    cell
                );
                break;
            case "ipo":
                Lowers(
                    new DpoTrainer(
                        cell.Model,
                        Toy.Tokenizer,
                        other,
                        new DpoOptions
                        {
                            Steps = 25,
                            BatchSize = 4,
                            LearningRate = 1e-2,
                            Loss = DpoLoss.Ipo(),
                        }
                    ),
                    Pairs,
                    cell
                );
                break;
            case "cpo":
                Lowers(
                    new CpoTrainer(
                        cell.Model,
                        Toy.Tokenizer,
                        new CpoOptions
                        {
                            Steps = 25,
                            BatchSize = 4,
                            LearningRate = 2e-2,
                        }
                    ),
                    Pairs,
                    cell
                );
                break;
            case "simpo":
                Lowers(
                    new CpoTrainer(
                        cell.Model,
                        Toy.Tokenizer,
                        new CpoOptions
                        {
                            Steps = 25,
                            BatchSize = 4,
                            LearningRate = 1e-2,
                            Objective = CpoObjective.Simpo(),
                        }
                    ),
                    Pairs,
                    cell
                );
                break;
            case "orpo":
                Lowers(
                    new OrpoTrainer(
                        cell.Model,
                        Toy.Tokenizer,
                        new OrpoOptions
                        {
                            Steps = 25,
                            BatchSize = 4,
                            LearningRate = 2e-2,
                        }
                    ),
                    Pairs,
                    cell
                );
                break;
            case "kto":
                Lowers(
                    new KtoTrainer(
                        cell.Model,
                        Toy.Tokenizer,
                        ReferencePolicy.Of(other),
                        new KtoOptions
                        {
                            Steps = 25,
                            BatchSize = 4,
                            LearningRate = 2e-2,
                        }
                    ),
                    Judged,
                    cell
                );
                break;
            default:
                Lowers(
                    new DistillationTrainer(
                        cell.Model,
                        Toy.Tokenizer,
                        ReferencePolicy.Of(teacher),
                        new DistillationOptions
                        {
                            Steps = 25,
                            BatchSize = 4,
                            LearningRate = 2e-2,
                        }
                    ),
                    Shown,
                    cell
                );
                break;
        }
    }

    [Theory]
    [MemberData(nameof(RewardCells))]
    public void RewardModels_LowerTheirLoss(string objective, string architecture, string parameters)
    {
        using var cell = MatrixCell.Of(architecture, parameters, classifier: true);
        var model = cell.Classifier!;
        if (objective == "outcome")
            Lowers(
                new RewardTrainer(
                    model,
                    Toy.Tokenizer,
                    new RewardOptions
                    {
                        Steps = 25,
                        BatchSize = 4,
                        LearningRate = 1e-2,
                    }
                ),
                Pairs,
                cell
            );
        else
            Lowers(
                new ProcessRewardTrainer(
                    model,
                    Toy.Tokenizer,
                    new ProcessRewardOptions
                    {
                        Steps = 25,
                        BatchSize = 2,
                        LearningRate = 1e-2,
                        Encoding = new StepEncodingOptions { Separator = "=" },
                    }
                ),
                Stepwise,
                cell
            );
    }

    [Theory]
    [MemberData(nameof(SamplingCells))]
    public async Task Sampling_RaisesItsReward(string objective, string architecture, string parameters)
    {
        using var cell = MatrixCell.Of(architecture, parameters);
        var other = cell.Frozen(seed: 1);
        // A teacher that writes nothing but a's: distilling it raises the same reward.
        var teacher = cell.Frozen(seed: 1, lesson: [new Demonstration("0=", "aaaa"), new Demonstration("2=", "aaaa")]);
        using var critic = ValueHead.WithOwnBody(MatrixCell.Create(architecture, seed: 3));
        var sampling = new SamplingOptions { MaxNewTokens = 4 };
        using RolloutTrainer trainer = objective switch
        {
            "grpo" => new GrpoTrainer(
                cell.Model,
                Toy.Tokenizer,
                ManyAs,
                new GrpoOptions
                {
                    Steps = 30,
                    BatchSize = 2,
                    GroupSize = 8,
                    LearningRate = 2e-2,
                    Sampling = sampling,
                }
            ),
            "rloo" => new GrpoTrainer(
                cell.Model,
                Toy.Tokenizer,
                ManyAs,
                new GrpoOptions
                {
                    Steps = 30,
                    BatchSize = 2,
                    GroupSize = 8,
                    LearningRate = 2e-2,
                    Sampling = sampling,
                    Objective = PolicyObjectives.Rloo(),
                }
            ),
            "ppo" => new PpoTrainer(
                cell.Model,
                Toy.Tokenizer,
                ManyAs,
                new PpoOptions
                {
                    Steps = 30,
                    BatchSize = 16,
                    LearningRate = 2e-2,
                    Sampling = sampling,
                    Kl = KlControl.Fixed(0),
                    Critic = critic,
                }
            ),
            "online dpo" => new OnlineDpoTrainer(
                cell.Model,
                Toy.Tokenizer,
                ManyAs,
                new OnlineDpoOptions
                {
                    Steps = 30,
                    BatchSize = 8,
                    LearningRate = 2e-2,
                    Sampling = sampling,
                    Reference = ReferencePolicy.Of(other),
                }
            ),
            _ => new OnPolicyDistillationTrainer(
                cell.Model,
                Toy.Tokenizer,
                ReferencePolicy.Of(teacher),
                new OnPolicyDistillationOptions
                {
                    Steps = 30,
                    BatchSize = 16,
                    GroupSize = 1,
                    LearningRate = 2e-2,
                    Sampling = sampling,
                    Reward = ManyAs,
                }
            ),
        };
        var rewards = new List<double>();
        await foreach (var report in trainer.RunAsync([new Problem("0="), new Problem("2=")]))
            rewards.Add(report.Metrics["reward/mean"]);
        var (before, after) = (rewards.Take(5).Average(), rewards.TakeLast(5).Average());
        Assert.True(after > before, $"the reward went from {before} to {after}");
        cell.KeepsTheFrozen();
    }

    // All parameterisations of one model in two types; of every other architecture full weights and LoRA in turn, so that each objective
    // meets each.
    private static TheoryData<string, string, string> Cells(string[] objectives, string[] parameters)
    {
        var cells = new TheoryData<string, string, string>();
        foreach (var (row, objective) in objectives.Index())
        {
            foreach (var parameter in parameters)
            {
                cells.Add(objective, MatrixCell.Plain, parameter);
                cells.Add(objective, MatrixCell.Mixed, parameter);
            }
            foreach (var (column, architecture) in MatrixCell.Others.Index())
                cells.Add(objective, architecture, parameters[(row + column) % 2]);
        }
        return cells;
    }

    private static void Lowers<T>(DatasetTrainer<T> trainer, T[] data, MatrixCell cell)
    {
        using (trainer)
        {
            double before = trainer.Evaluate(data)["eval/loss"];
            _ = trainer.Run(data).Last();
            double after = trainer.Evaluate(data)["eval/loss"];
            Assert.True(after < before, $"the loss went from {before} to {after}");
        }
        cell.KeepsTheFrozen();
    }
}
