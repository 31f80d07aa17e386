// What has to be installed for a virtual machine, as the systems call it.

export const QEMU_PACKAGES =
  "install QEMU (Debian, Ubuntu: qemu-system-x86; Fedora: qemu-system-x86-core; Arch Linux: qemu-system-x86; " +
  "macOS: brew install qemu), or name the program (--qemu)";

export const FIRMWARE_PACKAGES =
  "install it (Debian, Ubuntu: ovmf; Fedora: edk2-ovmf; Arch Linux: edk2-ovmf; QEMU of Homebrew brings it)";

export const BUSYBOX_PACKAGES =
  "install it (Debian, Ubuntu: busybox-static; Fedora: busybox; Alpine: busybox-static), or name the program (--busybox)";
