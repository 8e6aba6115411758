using System.Runtime.InteropServices;

namespace PostTrain.Benchmarks.Engine;

/// <summary>The same operators repeated inside C++; see native/bare_operators.cpp.</summary>
internal static partial class BareOperators
{
    [LibraryImport("bare_operators")] internal static partial void bare_add(int repeats);
    [LibraryImport("bare_operators")] internal static partial void bare_matmul(int repeats);
    [LibraryImport("bare_operators")] internal static partial void bare_mlp(int repeats);
}
