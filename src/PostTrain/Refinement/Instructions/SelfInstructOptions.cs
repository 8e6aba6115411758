using PostTrain.Numerics;
using PostTrain.Refinement.Writing;
using PostTrain.Rollouts;

namespace PostTrain.Refinement.Instructions;

/// <summary>Options of self-instruction. The defaults are those of Wang et al. 2022, arXiv:2212.10560, and of its programs.</summary>
public sealed record SelfInstructOptions
{
    /// <summary>The run ends when this many instructions have been generated and kept, at least 1. Default 100.</summary>
    public int Tasks { get; init; } = 100;

    /// <summary>The most rounds, at least 1, for a source that has nothing new to say. Default 100.</summary>
    public int Rounds { get; init; } = 100;

    /// <summary>Prompts for instructions in a round, at least 1. Default 5.</summary>
    public int RequestsPerRound { get; init; } = 5;

    /// <summary>Seed instructions in a prompt, at least 1; more where there are too few generated ones, fewer where there are too few
    /// seeds. Default 6.</summary>
    public int SeedExamples { get; init; } = 6;

    /// <summary>Generated instructions in a prompt, at least 0. Default 2.</summary>
    public int GeneratedExamples { get; init; } = 2;

    /// <summary>Seeds of each kind that are shown when it is asked whether an instruction is a classification: classifications. Default
    /// 12.</summary>
    public int ClassificationExamples { get; init; } = 12;

    /// <summary>The same for the other tasks. Default 19.</summary>
    public int OtherExamples { get; init; } = 19;

    /// <summary>Seeds with their instances that are shown when instances are asked for, at least 1. Default 8.</summary>
    public int InstanceExamples { get; init; } = 8;

    /// <summary>Texts with instances that are asked for each instruction, at least 1. Default 1.</summary>
    public int InstanceTexts { get; init; } = 1;

    /// <summary>The most instances of an instruction, at least 1. Default 5.</summary>
    public int MaxInstances { get; init; } = 5;

    /// <summary>An instruction is kept where its greatest ROUGE-L F1 to the pool is below this; above 0 and at most 1. Default
    /// 0.7.</summary>
    public double MaxSimilarity { get; init; } = 0.7;

    /// <summary>The fewest words of an instruction, between spaces, at least 1. Default 4.</summary>
    public int MinWords { get; init; } = 4;

    /// <summary>The most words of an instruction. Default 150.</summary>
    public int MaxWords { get; init; } = 150;

    /// <summary>The most characters of an input or output. Default 10 000.</summary>
    public int MaxInstanceCharacters { get; init; } = 10_000;

    /// <summary>The most instructions or instances that are read out of one completion. Default 64.</summary>
    public int MaxItems { get; init; } = 64;

    /// <summary>An instruction must begin with an ASCII letter or digit; false allows those of every script. Default true.</summary>
    public bool AsciiStart { get; init; } = true;

    /// <summary>Whole words, of either case, that no instruction may have: tasks that a language model cannot do.</summary>
    public IReadOnlyList<string> Keywords { get; init; } =
    ["image", "images", "graph", "graphs", "picture", "pictures", "file", "files", "map", "maps", "draw", "plot", "go to"];

    /// <summary>No instruction begins like this, in either case.</summary>
    public IReadOnlyList<string> Beginnings { get; init; } = ["Write a program"];

    /// <summary>How instructions are drawn. Default: temperature 0.7, top-p 0.5, 1024 tokens, up to number 16 of the list.</summary>
    /// <remarks>An empty line is no stop string here, as chat models write one after their greeting; where the list is read, it ends an
    /// instruction.</remarks>
    public TextRequest InstructionRequest { get; init; } =
        new()
        {
            Temperature = 0.7,
            TopP = 0.5,
            MaxTokens = 1024,
            StopStrings = ["\n16."],
        };

    /// <summary>How it is asked whether an instruction is a classification. Default: greedy, 3 tokens.</summary>
    public TextRequest ClassificationRequest { get; init; } = new() { Temperature = 0, MaxTokens = 3 };

    /// <summary>How instances are drawn. Default: greedy, 350 tokens, up to the next task.</summary>
    public TextRequest InstanceRequest { get; init; } =
        new()
        {
            Temperature = 0,
            MaxTokens = 350,
            StopStrings = ["Task:"],
        };

    /// <summary>What is asked.</summary>
    public SelfInstructPrompts Prompts { get; init; } = new();

    /// <summary>Where all randomness comes from: what a prompt shows is a function of this, the round and the pool.</summary>
    public ulong Seed { get; init; }

    internal void Check()
    {
        Guard.AtLeast(Tasks, 1, nameof(Tasks));
        Guard.AtLeast(Rounds, 1, nameof(Rounds));
        Guard.AtLeast(RequestsPerRound, 1, nameof(RequestsPerRound));
        Guard.AtLeast(SeedExamples, 1, nameof(SeedExamples));
        Guard.AtLeast(GeneratedExamples, 0, nameof(GeneratedExamples));
        Guard.AtLeast(ClassificationExamples, 1, nameof(ClassificationExamples));
        Guard.AtLeast(OtherExamples, 1, nameof(OtherExamples));
        Guard.AtLeast(InstanceExamples, 1, nameof(InstanceExamples));
        Guard.AtLeast(InstanceTexts, 1, nameof(InstanceTexts));
        Guard.AtLeast(MaxInstances, 1, nameof(MaxInstances));
        Guard.Positive(MaxSimilarity, nameof(MaxSimilarity));
        Guard.Fraction(MaxSimilarity, nameof(MaxSimilarity));
        Guard.AtLeast(MinWords, 1, nameof(MinWords));
        Guard.AtLeast(MaxWords, MinWords, nameof(MaxWords));
        Guard.AtLeast(MaxInstanceCharacters, 1, nameof(MaxInstanceCharacters));
        Guard.AtLeast(MaxItems, 1, nameof(MaxItems));
        ArgumentNullException.ThrowIfNull(Prompts);
        InstructionRequest.Validated();
        ClassificationRequest.Validated();
        InstanceRequest.Validated();
    }
}
