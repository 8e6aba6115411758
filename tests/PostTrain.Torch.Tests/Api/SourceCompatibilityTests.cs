using TorchSharp;

namespace PostTrain.Torch.Tests.Api;

/// <summary>What the engine makes public in TorchSharp's namespaces must compile against the TorchSharp package too.</summary>
/// <remarks><c>torchsharp-api.txt</c> holds the part of TorchSharp's public API (what versions 0.105.2, 0.106.0 and 0.107.0 have in common) that belongs to the engine's types.
/// After new types: <c>TORCHSHARP_API=&lt;full listing&gt; dotnet test --filter SourceCompatibility</c> writes it anew from the full listing.</remarks>
public class SourceCompatibilityTests
{
    private static readonly Lazy<ApiListing> Listing = new(() => new ApiListing(File.ReadLines(ListingPath())));

    static SourceCompatibilityTests()
    {
        if (Environment.GetEnvironmentVariable("TORCHSHARP_API") is { Length: > 0 } full) Renew(full);
    }

    // Types that stand for what somebody could add by mistake.
    public class NotListed;

    public class Pretended
    {
        public long Added() => 1;
    }

    [Fact]
    public void Engine_EveryPublicMember_IsInTheListing()
    {
        var lines = EngineLines();

        Assert.True(lines.Count > 1000, $"only {lines.Count} lines: the engine was not read");
        var missing = Listing.Value.Missing(lines);
        Assert.True(missing.Count == 0, string.Join("\n", missing));
    }

    [Fact]
    public void Listing_HoldsWhatTheEngineNeeds_AndNoMore() =>
        Assert.Equal(Listing.Value.Needed(EngineLines()), File.ReadLines(ListingPath()).Where(line => !line.StartsWith('#')));

    [Fact]
    public void Missing_TypeThatIsNotListed_IsNamed()
    {
        var problem = Assert.Single(Listing.Value.Missing(ApiDumper.Lines([typeof(NotListed)]).Where(line => line.Contains("| type |", StringComparison.Ordinal))));

        Assert.Contains("no such type in the listing", problem, StringComparison.Ordinal);
        Assert.Contains(nameof(NotListed), problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Missing_MemberAddedToAListedType_IsNamed()
    {
        // The same lines as if Pretended were the engine's DisposeScope.
        var lines = ApiDumper.Lines([typeof(Pretended)]).Select(line => line.Replace(typeof(Pretended).FullName!.Replace('+', '.'), "TorchSharp.DisposeScope", StringComparison.Ordinal));

        var problems = Listing.Value.Missing(lines.Where(line => line.Contains(" Added(", StringComparison.Ordinal)));

        Assert.Contains("no such member in the listing: TorchSharp.DisposeScope | method | public long Added()", Assert.Single(problems), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("public T Detach<T>(T disposable) where T : System.IDisposable", true)]
    [InlineData("public TOther Detach<TOther>(TOther disposable) where TOther : System.IDisposable", true)]
    [InlineData("public T Detach<T>(T renamed) where T : System.IDisposable", false)]
    [InlineData("public T Detach<T>(T disposable, int more = 0) where T : System.IDisposable", false)]
    [InlineData("public static T Detach<T>(T disposable) where T : System.IDisposable", false)]
    [InlineData("public T Detach<T>(T disposable)", false)]
    [InlineData("protected T Detach<T>(T disposable) where T : System.IDisposable", false)]
    public void Missing_SignatureChanged_IsNoticed(string signature, bool listed)
    {
        var problems = Listing.Value.Missing([$"TorchSharp.DisposeScope | method | {signature}"]);

        Assert.Equal(listed, problems.Count == 0);
    }

    private static List<string> EngineLines() =>
        ApiDumper.Lines(typeof(torch).Assembly.GetTypes().Where(type => (type.Namespace ?? "") is "TorchSharp" || type.Namespace?.StartsWith("TorchSharp.", StringComparison.Ordinal) == true));

    private static void Renew(string full)
    {
        var header = File.ReadLines(full).TakeWhile(line => !line.Contains(" | ", StringComparison.Ordinal) || line.StartsWith('#')).Select(line => line.StartsWith('#') ? line : "# " + line);
        File.WriteAllLines(ListingPath(), header.Concat(new ApiListing(File.ReadLines(full)).Needed(EngineLines())));
    }

    private static string ListingPath() => Repository.PathOf("tests", "PostTrain.Torch.Tests", "Api", "torchsharp-api.txt");
}
