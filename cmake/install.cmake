# `cmake --install build/release`: parts as machines need them (docs/service.md "Installing"). Paths are those that units,
# sysusers and tmpfiles name, so the prefix of a package is /usr.
include(GNUInstallDirs)

set(RW_PART_box ringward-box ringward-box-selftest ringward-validate-template ringward-validate-yara)
set(RW_PART_agent ringward-agent ringward-http ringward-patch ringward-sensor)
set(RW_PART_server ringward-server ringward-signer)
set(RW_PART_cli ringward)
set(RW_UNITS_agent ringward-agent.service ringward-guard.service)
set(RW_UNITS_server ringward-prune.service ringward-prune.timer ringward-server.service ringward-server.socket
    ringward-signer.service)
set(RW_PAGES_box ringward-box.8)
set(RW_PAGES_agent ringward-agent.8 ringward-agent.conf.5 ringward-sensor.8)
set(RW_PAGES_server ringward-server.8 ringward-server.conf.5 ringward-server-prune.8 ringward-signer.8)
set(RW_PAGES_cli ringward.1)

foreach(part box agent server cli)
  install(TARGETS ${RW_PART_${part}} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT ${part})
  foreach(unit ${RW_UNITS_${part}})
    install(FILES ${CMAKE_SOURCE_DIR}/examples/systemd/${unit} DESTINATION lib/systemd/system COMPONENT ${part})
  endforeach()
  foreach(page ${RW_PAGES_${part}})
    string(REGEX MATCH "[0-9]$" section ${page})
    install(FILES ${CMAKE_SOURCE_DIR}/docs/man/${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section} COMPONENT ${part})
  endforeach()
endforeach()

# The box looks for both beside itself.
install(FILES ${CMAKE_BINARY_DIR}/bin/ringward-sensor.manifest ${CMAKE_BINARY_DIR}/bin/ringward-load-sensor.conf
  DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT agent)
foreach(part agent server)
  install(FILES ${CMAKE_SOURCE_DIR}/examples/systemd/ringward.sysusers DESTINATION lib/sysusers.d RENAME ringward.conf
    COMPONENT ${part})
endforeach()
install(FILES ${CMAKE_SOURCE_DIR}/examples/systemd/ringward.tmpfiles DESTINATION lib/tmpfiles.d RENAME ringward.conf
  COMPONENT agent)
install(FILES ${CMAKE_SOURCE_DIR}/README.md ${CMAKE_SOURCE_DIR}/LICENSE ${CMAKE_SOURCE_DIR}/rings.json
  DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT doc)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs COMPONENT doc PATTERN man EXCLUDE)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/examples/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples COMPONENT doc)
