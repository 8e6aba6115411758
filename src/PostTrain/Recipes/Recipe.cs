using System.Runtime.CompilerServices;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Supervised;
using PostTrain.Text;
using static TorchSharp.torch;

namespace PostTrain.Recipes;

/// <summary>Loop made of trainers: stages that follow each other and hand data or weights on.</summary>
/// <remarks>With a <see cref="RecipeOptions.Directory"/> a run that was stopped or killed goes on: make the models as at the start, make
/// the recipe with the same options, call <see cref="Resume"/>, and run it with the same data. Each stage goes on from its last checkpoint,
/// and the result is the same to the last bit as that of a run that was never stopped. Set <c>CheckpointEvery</c> in the options of the
/// stages: a killed run repeats what it did since the last checkpoint.</remarks>
public abstract class Recipe
{
    private readonly Func<RecipeStage, CancellationToken, Task>? stageEnded;
    private bool resumes;

    /// <summary>Checks the arguments that every recipe takes.</summary>
    private protected Recipe(CausalLm policy, ITokenizer tokenizer, RecipeOptions options)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(options);
        (Policy, Tokenizer, Directory, stageEnded) = (policy, tokenizer, options.Directory, options.StageEnded);
    }

    private protected CausalLm Policy { get; }

    private protected ITokenizer Tokenizer { get; }

    private string? Directory { get; }

    /// <summary>Lets the next run go on from what the directory holds; nothing in it is a run that begins.</summary>
    /// <exception cref="InvalidOperationException">The options name no directory.</exception>
    public void Resume()
    {
        if (Directory is null)
            throw new InvalidOperationException("the options have no Directory, expected the one of the run that goes on");
        resumes = true;
    }

    /// <summary>Opens the run's directory.</summary>
    /// <exception cref="InvalidOperationException">It holds a run, and <see cref="Resume"/> was not called.</exception>
    private protected RecipeFolder Open()
    {
        var folder = RecipeFolder.Open(Directory, resumes);
        resumes = false;
        return folder;
    }

    /// <summary>Says that a stage of the policy, or of another model, has ended.</summary>
    private protected Task EndAsync(string stage, CancellationToken cancellation, nn.Module? model = null, int round = 1) =>
        stageEnded?.Invoke(new RecipeStage(stage, round, model ?? Policy), cancellation) ?? Task.CompletedTask;

    /// <summary>Supervised stage of the policy, or of another model.</summary>
    private protected IEnumerable<RecipeReport> Supervise(
        RecipeFolder folder,
        string stage,
        SftOptions options,
        IReadOnlyList<Demonstration> demonstrations,
        CancellationToken cancellation,
        CausalLm? model = null
    )
    {
        using var trainer = new SftTrainer(model ?? Policy, Tokenizer, folder.Options(options, stage));
        folder.Resume(trainer.Resume, stage);
        foreach (var step in trainer.Run(demonstrations, cancellation: cancellation))
            yield return new RecipeReport(stage, step);
    }

    /// <summary>Stage of policy optimisation without a critic.</summary>
    private protected async IAsyncEnumerable<RecipeReport> ReinforceAsync(
        RecipeFolder folder,
        string stage,
        GrpoOptions options,
        IReward reward,
        IReadOnlyList<Problem> problems,
        IReadOnlyList<Problem>? evaluation,
        [EnumeratorCancellation] CancellationToken cancellation
    )
    {
        using var trainer = new GrpoTrainer(Policy, Tokenizer, reward, folder.Options(options, stage));
        folder.Resume(trainer.Resume, stage);
        await foreach (var step in trainer.RunAsync(problems, evaluation, cancellation).ConfigureAwait(false))
            yield return new RecipeReport(stage, step);
    }

    /// <summary>Refuses a policy of which no frozen copy can be made, where the options do not say what the reference is.</summary>
    private protected void CheckReference(RecipeOptions options, bool isGiven)
    {
        if (!isGiven && Policy is not Decoder { HasAdapter: false })
            throw new ArgumentException(
                $"the policy is a {Policy.GetType().Name}, expected a {nameof(Decoder)} without adapters, which can be copied, or "
                    + $"{options.GetType().Name}.Reference",
                nameof(options)
            );
    }
}
