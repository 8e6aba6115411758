namespace PostTrain.Tests.Golden;

/// <summary>How the cases of one kind are run.</summary>
/// <param name="Run">Computes the case with the library's functions and compares.</param>
internal sealed record GoldenKind(Action<GoldenCase> Run);

/// <summary>Which golden areas and kinds the library's functions are held against. A kind that stands neither here nor in
/// <see cref="NotYet"/> is an error.</summary>
internal static class GoldenSuite
{
    internal static IReadOnlyDictionary<string, IReadOnlyDictionary<string, GoldenKind>> Areas { get; } =
        new Dictionary<string, IReadOnlyDictionary<string, GoldenKind>>
        {
            ["logprobs"] = LogProbsGolden.Kinds,
            ["sft"] = SftGolden.Kinds,
            ["grpo"] = GrpoGolden.Kinds,
            ["advantages"] = AdvantagesGolden.Kinds,
            ["ppo"] = PpoGolden.Kinds,
            ["reward"] = RewardGolden.Kinds,
            ["distill"] = DistillGolden.Kinds,
            ["dpo"] = DpoGolden.Kinds,
            ["preference"] = PreferenceGolden.Kinds,
            ["data"] = DataGolden.Kinds,
            ["tokenizers"] = TokenizersGolden.Kinds,
            ["models"] = ModelsGolden.Kinds,
            ["peft"] = PeftGolden.Kinds,
            ["chat"] = ChatGolden.Kinds,
            ["jinja"] = JinjaGolden.Kinds,
            ["generation"] = GenerationGolden.Kinds,
            ["merge"] = MergeGolden.Kinds,
            ["train"] = TrainGolden.Kinds,
            ["optim"] = OptimGolden.Kinds,
            ["quant"] = QuantGolden.Kinds,
            ["prune"] = PruneGolden.Kinds,
            ["gguf"] = GgufGolden.Kinds,
            ["mergekit"] = MergekitGolden.Kinds,
            ["search"] = SearchGolden.Kinds,
            ["liger"] = LigerGolden.Kinds,
            ["llava"] = LlavaGolden.Kinds,
            ["verl"] = VerlGolden.Kinds,
            ["masks"] = MasksGolden.Kinds,
            ["trlmore"] = TrlMoreGolden.Kinds,
        };

    /// <summary>Kinds ("area/kind") that no function of the library computes so far.</summary>
    internal static IReadOnlySet<string> NotYet { get; } = new SortedSet<string>(StringComparer.Ordinal) { };

    /// <summary>Every case of every known area that the directory has.</summary>
    internal static IEnumerable<(string Area, GoldenCase Case)> Cases() =>
        Areas.Keys.Select(GoldenFile.Load).OfType<GoldenFile>().SelectMany(file => file.Cases.Select(item => (file.Area, item)));

    /// <summary>How <see cref="NotYet"/> would name a case.</summary>
    internal static string NameOf(string area, GoldenCase item) => $"{area}/{item.Kind}";
}
