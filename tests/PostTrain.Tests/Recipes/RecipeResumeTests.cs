using System.Security.Cryptography;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Policy;
using PostTrain.Preference;
using PostTrain.Preference.Online;
using PostTrain.Recipes;
using PostTrain.Refinement;
using PostTrain.Refinement.Writing;
using PostTrain.RewardModeling;
using PostTrain.Rewards;
using PostTrain.Rewards.Judges;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Tests.Support;

namespace PostTrain.Tests.Recipes;

/// <summary>A recipe that is killed anywhere and goes on gives the bytes and the reports of one that was never stopped.</summary>
[Collection("Sequential")]
public sealed class RecipeResumeTests : IDisposable
{
    private static readonly Demonstration[] Demonstrations = [new("1+1=", "2"), new("1+2=", "3"), new("2+2=", "4")];
    private static readonly Problem[] Problems = [new("1+1=", "2"), new("1+2=", "3"), new("2+2=", "4")];
    private static readonly SamplingOptions Short = new() { MaxNewTokens = 3 };
    private static readonly IReward Digits = Reward.Of("digits", completion => completion.Text.Count(char.IsAsciiDigit));
    private static readonly SftOptions Sft = new()
    {
        Steps = 5,
        BatchSize = 2,
        LearningRate = 1e-2,
        CheckpointEvery = 2,
    };
    private static readonly GrpoOptions Grpo = RlaifOptions.Reinforce with
    {
        Steps = 3,
        BatchSize = 2,
        GroupSize = 4,
        LearningRate = 1e-2,
        CheckpointEvery = 2,
        Sampling = Short,
    };
    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    private static readonly Dictionary<string, string[]> Stages = new()
    {
        ["reft"] = ["warmup 1", "reinforcement 1"],
        ["rlaif"] = ["reward-model 1", "reinforcement 1"],
        ["self-training"] = ["training 1", "training 2"],
        ["refinement"] = ["training 1", "training 2"],
        ["r1"] = ["cold-start 1", "reasoning 1", "rejection 1", "alignment 1", "distillation 1"],
        ["instructgpt"] = ["supervised 1", "reward-model 1", "reinforcement 1"],
        ["llama"] = ["supervised 1", "preference 1", "supervised 2", "preference 2"],
        ["qwen"] = ["supervised 1", "offline 1", "online 1"],
    };

    public static TheoryData<string> Names => [.. Stages.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Killed_AndResumed_GivesTheSameBytes(string name)
    {
        var (whole, bytes, stages) = await RunAsync(name, directory.File("whole"), int.MaxValue, resume: false);
        Assert.True(whole.Count >= 8, $"{whole.Count} steps");
        // Each stage has ended once, with weights of its own.
        Assert.Equal(stages.Count, stages.Distinct().Count());
        Assert.Equal(Stages[name], stages.Select(stage => stage.Split(':')[0]));
        foreach (int kill in Enumerable.Range(1, whole.Count - 1))
        {
            var place = directory.File($"killed-{kill}");
            var (before, _, _) = await RunAsync(name, place, kill, resume: false);
            var (after, resumed, again) = await RunAsync(name, place, int.MaxValue, resume: true);
            Assert.Equal(stages, again);
            Assert.Equal(bytes, resumed);
            Assert.Equal(whole.Take(kill), before);
            // Steps behind the last checkpoint are made again.
            Assert.Equal(whole.Skip(whole.Count - after.Count), after);
            Assert.InRange(after.Count, whole.Count - kill, whole.Count - kill + 2);
        }
        // Without a call of Resume nothing is overwritten.
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => RunAsync(name, directory.File("whole"), 1, resume: false));
        Assert.Contains("is not empty, expected a new one, or a call of Resume", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task WithoutADirectory_TheBytesAreTheSame_AndNothingResumes(string name)
    {
        var (_, bytes, _) = await RunAsync(name, directory.File("whole"), int.MaxValue, resume: false);
        Assert.Equal(bytes, (await RunAsync(name, null, int.MaxValue, resume: false)).Bytes);
        await Assert.ThrowsAsync<InvalidOperationException>(() => RunAsync(name, null, 1, resume: true));
    }

    // A run that ends after so many reports, as if it had been killed.
    private static async Task<(List<string> Reports, byte[] Bytes, List<string> Stages)> RunAsync(
        string name,
        string? place,
        int most,
        bool resume
    )
    {
        using var model = Toy.Model();
        using var rewardModel = SequenceClassifier.For(Toy.Model(seed: 2));
        using var student = Toy.Model(seed: 3);
        List<string> reports = [],
            stages = [];
        var (recipe, run) = Make(
            name,
            place,
            model,
            rewardModel,
            student,
            (stage, _) =>
            {
                stages.Add($"{stage.Name} {stage.Round}: {Convert.ToHexString(SHA256.HashData(Toy.Bytes(stage.Model)))}");
                return Task.CompletedTask;
            }
        );
        if (resume)
            recipe.Resume();
        await foreach (var report in run())
        {
            var numbers = Toy.Numbers(report.Step).OrderBy(item => item.Key, StringComparer.Ordinal);
            reports.Add($"{report.Stage} {report.Round}: {string.Join(" ", numbers.Select(item => $"{item.Key}={item.Value:R}"))}");
            if (reports.Count == most)
                break;
        }
        return (reports, [.. Toy.Bytes(model), .. Toy.Bytes(rewardModel), .. Toy.Bytes(student)], stages);
    }

    private static (Recipe Recipe, Func<IAsyncEnumerable<RecipeReport>> Run) Make(
        string name,
        string? place,
        Decoder model,
        SequenceClassifier rewardModel,
        Decoder student,
        Func<RecipeStage, CancellationToken, Task> ended
    )
    {
        var tokenizer = Toy.Tokenizer;
        switch (name)
        {
            case "reft":
                var ppo = ReftOptions.Paper with { Steps = 4, BatchSize = 4, LearningRate = 1e-2, CheckpointEvery = 2, Sampling = Short };
                var reft = new ReinforcedFineTuning(
                    model,
                    tokenizer,
                    Digits,
                    new ReftOptions
                    {
                        Directory = place,
                        StageEnded = ended,
                        Warmup = Sft,
                        Reinforcement = ppo,
                    }
                );
                return (reft, () => reft.RunAsync(Demonstrations, Problems));
            case "rlaif":
                PairJudge longer = (_, first, second, _) => Task.FromResult(first.Length >= second.Length ? 0.8 : 0.2);
                var rlaif = new Rlaif(
                    model,
                    tokenizer,
                    longer,
                    new RlaifOptions
                    {
                        Directory = place,
                        StageEnded = ended,
                        RewardModel = rewardModel,
                        Feedback = new AiFeedbackOptions
                        {
                            PairsPerProblem = 4,
                            BatchSize = 4,
                            Sampling = Short,
                        },
                        RewardTraining = new RewardOptions
                        {
                            Steps = 4,
                            BatchSize = 2,
                            LearningRate = 1e-2,
                            CheckpointEvery = 2,
                        },
                        Reinforcement = Grpo,
                    }
                );
                return (rlaif, () => rlaif.RunAsync(Problems));
            case "self-training":
                var star = new SelfTraining(
                    model,
                    tokenizer,
                    Reward.Of("any", _ => 1),
                    new SelfTrainingOptions
                    {
                        Directory = place,
                        StageEnded = ended,
                        Rounds = 2,
                        Demonstrations = Demonstrations,
                        Training = Sft,
                        Sampling = Short,
                    }
                );
                return (star, () => star.RunAsync(Problems));
            case "refinement":
                var refining = new RefinementTraining(
                    model,
                    tokenizer,
                    FeedbackSources.Score(Digits),
                    new RefinementTrainingOptions
                    {
                        Directory = place,
                        StageEnded = ended,
                        Rounds = 2,
                        Writing = new ModelRefinerOptions
                        {
                            Sampling = new SamplingOptions { MaxNewTokens = 4 },
                            Template = new RevisionTemplate { Format = "{problem}" },
                        },
                        Examples = traces => [.. TraceExamples.Answers(traces, _ => true), .. Demonstrations],
                        Training = Sft,
                    }
                );
                return (refining, () => refining.RunAsync(Problems));
            case "instructgpt":
                var instruct = new InstructGptPipeline(
                    model,
                    tokenizer,
                    new InstructGptOptions
                    {
                        Directory = place,
                        StageEnded = ended,
                        RewardModel = rewardModel,
                        Supervised = Sft with { Steps = 3 },
                        RewardTraining = new RewardOptions
                        {
                            Steps = 3,
                            BatchSize = 2,
                            LearningRate = 1e-2,
                            CheckpointEvery = 2,
                        },
                        Reinforcement = new PpoOptions
                        {
                            Steps = 3,
                            BatchSize = 4,
                            LearningRate = 1e-2,
                            CheckpointEvery = 2,
                            Sampling = Short,
                            Kl = KlControl.Fixed(0.02),
                        },
                    }
                );
                return (instruct, () => instruct.RunAsync(Demonstrations, [new RankedCompletions("1+1=", ["2", "3", "44"])], Problems));
            case "llama":
                var llama = new LlamaRounds(
                    model,
                    tokenizer,
                    Digits,
                    new LlamaRoundsOptions
                    {
                        Directory = place,
                        StageEnded = ended,
                        Draws = new DrawOptions { Draws = 4, Sampling = Short },
                        Supervised = Sft with { Steps = 2 },
                        Preference = new LlamaRoundsOptions().Preference with
                        {
                            Steps = 2,
                            BatchSize = 2,
                            LearningRate = 1e-3,
                            CheckpointEvery = 1,
                        },
                    }
                );
                return (llama, () => llama.RunAsync(Demonstrations, Problems));
            case "qwen":
                var qwen = new QwenPipeline(
                    model,
                    tokenizer,
                    Digits,
                    new QwenPipelineOptions
                    {
                        Directory = place,
                        StageEnded = ended,
                        Supervised = Sft with { Steps = 3 },
                        Offline = new DpoOptions
                        {
                            Steps = 3,
                            BatchSize = 2,
                            LearningRate = 1e-3,
                            CheckpointEvery = 2,
                        },
                        Online = new OnlineDpoOptions
                        {
                            Steps = 3,
                            BatchSize = 2,
                            LearningRate = 1e-3,
                            CheckpointEvery = 2,
                            Sampling = Short,
                        },
                        Merging = 0.01,
                    }
                );
                return (qwen, () => qwen.RunAsync(Demonstrations, [new PreferencePair("1+1=", "2", "3")], Problems));
            default:
                var r1 = new R1Pipeline(
                    model,
                    tokenizer,
                    Digits,
                    new R1PipelineOptions
                    {
                        Directory = place,
                        StageEnded = ended,
                        ColdStart = Sft with { Steps = 2 },
                        Reasoning = Grpo,
                        Rejection = new SelfTrainingOptions { Training = Sft with { Steps = 3 }, Sampling = Short },
                        Alignment = Grpo with { Steps = 2 },
                        AlignmentReward = Reward.Of("length", completion => completion.Text.Length),
                        Student = student,
                        Distillation = Sft with { Steps = 2 },
                    }
                );
                return (r1, () => r1.RunAsync(Demonstrations, Problems));
        }
    }
}
