using PostTrain.Benchmarks.Workloads.Models;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Text;

namespace PostTrain.Benchmarks.Workloads;

/// <summary>A whole supervised training by <see cref="SftTrainer"/>: 50 steps on 8 rows of 128 random tokens each, with shuffling, encoding
/// and reports.</summary>
internal sealed class SupervisedRun : IWorkload
{
    private const int Steps = 50;

    public string Id => "E.sft";

    public IReadOnlyList<string> Sizes => ["260k"];

    public string? Missing(string size) => BenchmarkModel.Of(size).Missing;

    public Call Setup(string size, Inputs inputs)
    {
        var choice = BenchmarkModel.Of(size);
        var model = choice.Load(inputs.ModelType);
        var tokenizer = new CharacterIds(model.VocabularySize);
        Demonstration[] data =
        [
            .. StepRows
                .Of(inputs, Steps * BenchmarkModel.Rows, choice.Length, model.VocabularySize)
                .Select(row => tokenizer.Decode(row))
                .Select(text => new Demonstration(text[..1], text[1..])),
        ];
        var options = new SftOptions
        {
            Steps = Steps,
            BatchSize = BenchmarkModel.Rows,
            LearningRate = TrainingStep.Rate,
        };
        return new(
            () =>
            {
                using var trainer = new SftTrainer(model, tokenizer, options);
                foreach (var _ in trainer.Run(data)) { }
            },
            Steps * new ModelWork(model).FullStep(BenchmarkModel.Rows, choice.Length, choice.Length),
            Unit: "tokens/s",
            Amount: Steps * BenchmarkModel.Rows * choice.Length
        )
        {
            Type = inputs.ModelType,
            Owned = [model],
        };
    }
}

/// <summary>A whole reinforcement training by <see cref="GrpoTrainer"/>: 20 steps of 8 prompts with 4 completions of up to 32 tokens, drawn
/// at temperature 1; the reward is the share of letters "e"; one update a step without a KL term.</summary>
internal sealed class ReinforcementRun : IWorkload
{
    private const int Steps = 20;

    private static readonly Problem[] Prompts =
    [
        new("Once upon a time, there was a little girl named Lily.", null),
        new("Tom had a big red ball.", null),
        new("The dog ran to the park and", null),
        new("One day, a boy found a box.", null),
        new("Mia and her mom went to the store.", null),
        new("The cat was sad because", null),
        new("There was a small bird in the tree.", null),
        new("Ben liked to play with his toy car.", null),
    ];

    public string Id => "E.grpo";

    public IReadOnlyList<string> Sizes => ["260k"];

    public string? Missing(string size) => BenchmarkModel.Of(size).Missing;

    public Call Setup(string size, Inputs inputs)
    {
        var choice = BenchmarkModel.Of(size);
        var model = choice.Load(inputs.ModelType);
        var tokenizer = TokenizerFiles.Load(choice.Folder!);
        var reward = Reward.Of(
            "e",
            completion => completion.Text.Count(letter => letter == 'e') / (double)Math.Max(completion.Text.Length, 1)
        );
        var options = new GrpoOptions
        {
            Steps = Steps,
            BatchSize = Prompts.Length,
            GroupSize = 4,
            LearningRate = TrainingStep.Rate,
            Objective = PolicyObjectives.Bnpo(0.2),
            Sampling = new SamplingOptions { MaxNewTokens = 32 },
        };
        return new(
            () =>
            {
                using var trainer = new GrpoTrainer(model, tokenizer, reward, options);
                foreach (var _ in trainer.RunAsync(Prompts).ToBlockingEnumerable()) { }
            },
            Unit: "steps/s",
            Amount: Steps
        )
        {
            Type = inputs.ModelType,
            Owned = [model],
        };
    }
}
